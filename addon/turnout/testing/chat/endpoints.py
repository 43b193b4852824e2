"""The endpoints of a Chat Completions server, for a scripted provider."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from turnout.testing.chat.check import check_request, unknown_model
from turnout.testing.chat.given_back import check_kept
from turnout.testing.chat.problem import ChatProblem
from turnout.testing.chat.replies import ChatError, ChatReply
from turnout.testing.chat.script import Thought
from turnout.testing.chat.vendor import ChatVendor
from turnout.testing.chat.whole import CREATED, tool_calls
from turnout.testing.replies import Reply, error, json
from turnout.testing.wire import RecordedRequest

ANSWERS = ("POST", "/chat/completions")

_OF_MESSAGES = re.compile(r"anthropic-.*|x-api-key|x-claude-code-.*")
_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY)."
)


def chat_violations(request: RecordedRequest) -> Iterator[str]:
    """What belongs to the Messages API. Real servers overlook it, a proxy has no reason to send it."""
    for name in sorted(request.lower):
        if _OF_MESSAGES.fullmatch(name):
            yield f"the header {name} reached a server of Chat Completions"
    if "beta=" in request.target.partition("?")[2]:
        yield f"the query of {request.target} reached a server of Chat Completions"


class ChatEndpoints:
    """`keys` open it; `serves` are globs of the models it has."""

    def __init__(self, vendor: ChatVendor, keys: Sequence[str], serves: Sequence[str]) -> None:
        self.vendor = vendor
        self._keys = keys
        self._serves = serves
        self._thoughtful: set[str] = set()
        """The ids of calls that came with `reasoning_details`."""

    def reply(
        self, request: RecordedRequest, endpoint: tuple[str, str], script: Callable[[RecordedRequest], Reply]
    ) -> Reply:
        """Raises ChatProblem."""
        if not self.vendor.keyless:
            self._check_key(request)
        if endpoint == ANSWERS:
            check_request(self.vendor, request)
            if not any(fnmatchcase(request.model, pattern) for pattern in self._serves):
                raise unknown_model(request.model)
            check_kept(request.json["messages"], self._thoughtful)
            return self._played(script(request), request)
        if endpoint == ("GET", "/models"):
            return json(200, {"object": "list", "data": [_model(name) for name in self._serves]})
        if request.method == "HEAD":
            return error(404, "not_found_error")
        raise ChatProblem("path", (), f"Invalid URL ({request.method} {request.path})", None, 404)

    def _played(self, reply: Reply, request: RecordedRequest) -> Reply:
        if isinstance(reply, ChatReply):
            style = (reply.style or self.vendor.style).asked_by(request)
            thinks = any(isinstance(part, Thought) for part in reply.parts)
            if style.reasoning in ("reasoning_details", "unsigned") and thinks:
                self._thoughtful |= {call["id"] for call in tool_calls(reply.parts, style, request)}
        return reply.by(self.vendor) if isinstance(reply, ChatReply | ChatError) else reply

    def _check_key(self, request: RecordedRequest) -> None:
        sent = request.lower.get("authorization")
        if sent is None:
            raise ChatProblem("key", (), _NO_KEY, None, 401)
        if sent not in [f"Bearer {key}" for key in self._keys]:
            said = (
                "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys."
            )
            raise ChatProblem("key", (), said, "invalid_api_key", 401)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "scripted"}
