"""A provider that answers by script, as strict as Anthropic about what it accepts, on a loopback port of its own.

    async with ScriptedProvider([error(429, "rate_limit_error"), sse()]) as provider:
        ...                             # point a client or the proxy at provider.url
        assert not provider.violations

Each POST /v1/messages that passes the checks takes the next reply of the script; the last one repeats.
`ScriptedProviderThread` is the same thing with a loop of its own in a thread, for tests that block.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Any

from turnout.testing import strict as rules
from turnout.testing.chat import ChatProblem, ChatVendor
from turnout.testing.chat import answer as chat_answer
from turnout.testing.chat.endpoints import ANSWERS, ChatEndpoints, chat_violations
from turnout.testing.mint import Mint
from turnout.testing.replies import Reply, error, json, sse
from turnout.testing.strict import Credential, Refusal
from turnout.testing.thread import LoopThread, Result
from turnout.testing.vendors import VENDORS, Problem
from turnout.testing.wire import Answer, Incoming, MalformedRequest, RecordedRequest

Script = Reply | Sequence[Reply] | Callable[[RecordedRequest], Reply]

API_KEY = "sk-ant-api03-scripted-provider-key"
"""What a provider accepts unless a test says otherwise."""

MODELS = ("claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5-20251001")


class ScriptedProvider:
    """A loopback server with the endpoints of the Messages API, or those of Chat Completions.

    `strict` says whose validation it has: "anthropic", "nothing", or the name of one of the `vendors`, which refuse in
    words of their own. `accepts` is the credential (or several) that opens it: a text is a key with Anthropic's rule
    for its look, at a vendor with that vendor's.
    `serves` are globs of the models it has, anything else is 404. `forbid` are texts that must never reach it.
    `gzip` compresses answers for clients that accept it, as Anthropic's edge does. `prefix` is a path under which the
    endpoints live, as with providers that serve this protocol beside others; it is part of `url`. `mint` refuses every
    thinking block that it has not signed; without one, any signature will do.
    `vendor` makes it a server of Chat Completions, strict in that vendor's way: its key comes as Bearer, its prefix is
    the vendor's path, and it answers by `turnout.testing.chat`. `strict` and `mint` are of no use there.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        accepts: str | Credential | Sequence[str | Credential] = API_KEY,
        strict: str = "anthropic",
        serves: Sequence[str] = ("*",),
        forbid: Sequence[str] = ("proxy-managed",),
        gzip: bool = False,
        prefix: str = "",
        mint: Mint | None = None,
        vendor: ChatVendor | None = None,
    ) -> None:
        self.requests: list[RecordedRequest] = []
        self.violations: list[str] = []
        """What no proxy may send; tests assert that it stays empty."""
        self.refusals: list[Refusal] = []
        """What Anthropic's strict rules refused."""
        self.problems: list[Problem | ChatProblem] = []
        """What a vendor's strict rules refused."""
        self.url = ""
        self.port = 0
        self._vendor = None if strict in ("anthropic", "nothing") else VENDORS[strict]
        self._accepts = [each for item in _listed(accepts) for each in self._credentials(item)]
        self._strict = strict == "anthropic"
        self._serves, self._forbid, self._gzip = serves, forbid, gzip
        self._prefix, self._mint = prefix or (vendor.path if vendor else ""), mint
        keys = [item if isinstance(item, str) else item.value for item in _listed(accepts)]
        self._chat = ChatEndpoints(vendor, keys, serves) if vendor else None
        self._arrivals = asyncio.Condition()
        self._connections: set[asyncio.Task[None]] = set()
        self._opened = 0
        usual = chat_answer() if vendor else sse()
        self.play(usual if script is None else script)

    def _credentials(self, item: str | Credential) -> list[Credential]:
        if isinstance(item, Credential):
            return [item]
        return [Credential(style, item) for style in self._vendor.auth] if self._vendor else [Credential.of(item)]

    def play(self, script: Script) -> None:
        """Start another script."""
        if callable(script):
            self._script = script
            return
        replies = iter([script] if not isinstance(script, Sequence) else script)
        current = next(replies)
        upcoming: Reply | None = current

        def in_turn(request: RecordedRequest) -> Reply:
            nonlocal current, upcoming
            if upcoming is not None:
                current, upcoming = upcoming, next(replies, None)
            return current

        self._script = in_turn

    @property
    def messages(self) -> list[RecordedRequest]:
        """The requests to /v1/messages alone, or those to the chat completions."""
        answers = ANSWERS if self._chat else ("POST", "/v1/messages")
        return [request for request in self.requests if self._endpoint(request) == answers]

    def _endpoint(self, request: RecordedRequest) -> tuple[str, str]:
        inside = request.path.startswith(self._prefix)
        return request.method, request.path.removeprefix(self._prefix) if inside else ""

    async def arrived(self, count: int = 1) -> RecordedRequest:
        """Wait until `count` of the `messages` have arrived; the last of them."""
        async with self._arrivals:
            await self._arrivals.wait_for(lambda: len(self.messages) >= count)
        return self.messages[count - 1]

    async def __aenter__(self) -> ScriptedProvider:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}{self._prefix}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        number, self._opened = self._opened, self._opened + 1
        incoming = Incoming(reader)
        try:
            while (request := await incoming.request(number)) is not None:
                await self._exchange(request, incoming, writer)
        except MalformedRequest as problem:
            self.violations.append(f"malformed HTTP: {problem}")
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            await incoming.stop()
            writer.transport.abort()

    async def _exchange(self, request: RecordedRequest, incoming: Incoming, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and stop answering when the other side leaves."""
        async with self._arrivals:
            self.requests.append(request)
            self._arrivals.notify_all()
        gzip = self._gzip and "gzip" in request.lower.get("accept-encoding", "")
        answer = Answer(writer, bodiless=request.method == "HEAD", gzip=gzip)
        reply = self._reply(request)
        named = f"req_01scripted{len(self.requests):04}"
        headers = [("request-id", named), ("anthropic-organization-id", "org-scripted")]
        if self._chat:
            headers = [("x-request-id", named)]
        playing = asyncio.ensure_future(reply.play(request, answer, headers))
        leaving = asyncio.ensure_future(incoming.gone.wait())
        try:
            await asyncio.wait({playing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                playing.result()
                request.finished.set()
            else:
                request.closed.set()
        except ConnectionError:
            request.closed.set()
            raise
        finally:
            playing.cancel()
            leaving.cancel()
            await asyncio.gather(playing, leaving, return_exceptions=True)

    def _reply(self, request: RecordedRequest) -> Reply:
        self.violations += rules.violations(request, f"127.0.0.1:{self.port}", self._forbid)
        if self._chat:
            return self._chat_reply(self._chat, request)
        try:
            return self._routed(request)
        except Refusal as refusal:
            self.refusals.append(refusal)
            return error(refusal.status, refusal.type, refusal.message)
        except Problem as problem:
            self.problems.append(problem)
            assert self._vendor is not None, "only vendors have problems"
            answer = self._vendor.say(problem)
            return json(answer.status, answer.body)

    def _chat_reply(self, chat: ChatEndpoints, request: RecordedRequest) -> Reply:
        self.violations += chat_violations(request)
        try:
            return chat.reply(request, self._endpoint(request), self._script)
        except ChatProblem as problem:
            self.problems.append(problem)
            told = chat.vendor.say(problem)
            return json(told.status, told.body)

    def _routed(self, request: RecordedRequest) -> Reply:
        """The reply of an endpoint. Raises Refusal."""
        endpoint = method, path = self._endpoint(request)
        if endpoint == ("HEAD", "/api/hello"):
            return json(200, {"message": "hello"})
        if (self._strict or (self._vendor and self._vendor.auth)) and path.startswith("/v1/"):
            rules.check_credential(request, self._accepts)
        if endpoint == ("POST", "/v1/messages"):
            self._check(request, rules.check_messages)
            return self._script(request)
        if endpoint == ("POST", "/v1/messages/count_tokens") and (not self._vendor or self._vendor.counts_tokens):
            self._check(request, rules.check_count_tokens)
            return json(200, {"input_tokens": len(request.body) // 4})
        if endpoint == ("GET", "/v1/models"):
            models = [_model(name) for name in MODELS]
            return json(200, {"data": models, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]})
        name = path.removeprefix("/v1/models/")
        if method == "GET" and name in MODELS:
            return json(200, _model(name))
        if method == "HEAD":  # a connection check is no fault of the client; it is answered without being noted
            return error(404, "not_found_error")
        raise Refusal(404, "not_found_error", f"{request.method} {request.target} does not exist")

    def _check(self, request: RecordedRequest, check: Callable[[RecordedRequest], None]) -> None:
        if self._strict:
            check(request)
        if self._vendor:
            self._vendor.check_request(request)
        if self._mint:
            self._mint.check(request)
        if not any(fnmatchcase(request.model, pattern) for pattern in self._serves):
            raise Refusal(404, "not_found_error", f"model: {request.model}")


class ScriptedProviderThread(ScriptedProvider):
    """A scripted provider with a loop of its own in a thread, used as a plain context manager."""

    def __enter__(self) -> ScriptedProviderThread:
        self._thread = LoopThread("scripted-provider")
        self._thread.run(self.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.run(self.__aexit__(kind, value, traceback))
        self._thread.stop()

    def wait(self, coroutine: Coroutine[Any, Any, Result], timeout: float = 30) -> Result:
        """Wait in the provider's loop for something such as `provider.arrived(2)` or `request.closed.wait()`."""
        return self._thread.run(coroutine, timeout)

    def open(self, gate: asyncio.Event) -> None:
        """Let a reply that waits at this gate go on."""
        self._thread.set(gate)


def _listed(accepts: str | Credential | Sequence[str | Credential]) -> Sequence[str | Credential]:
    return [accepts] if isinstance(accepts, str | Credential) else accepts


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "type": "model", "display_name": name, "created_at": "2025-10-01T00:00:00Z"}
