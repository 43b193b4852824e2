"""Watches the answer to one attempt: is it one, does it go on, what did it cost.

Implements what `proxy.steering.AttemptMonitor` asks for, with the knowledge of the Messages dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from turnout.dialects.incoming import Incoming
from turnout.dialects.messages.conversion import as_events, as_message, begins_like_events, begins_like_json
from turnout.dialects.messages.refusals import Refusal
from turnout.dialects.messages.stream import MessageStream, Peek
from turnout.dialects.messages.usage import read_usage
from turnout.errors import error_event
from turnout.health.verdict import Judgement, Verdict
from turnout.journey.arriving import Arriving
from turnout.journey.deadlines import deadlines
from turnout.journey.expectation import Expectation
from turnout.journey.judging import Judging
from turnout.journey.response import Response, put_in_place
from turnout.journey.telling import Telling
from turnout.settings.model import Limits, Provider, Timeouts
from turnout.wire.sse import BYTE_ORDER_MARK

PING = b'event: ping\ndata: {"type": "ping"}\n\n'
"""Byte for byte what the official gateway writes into silent streams."""


END_WITHIN = 5.0
"""Seconds in which an answer that has stopped for a reason has to end. Servers send both in one breath."""

_UNDECIDED = {
    Peek.FAILED: "the stream does not begin with a Messages event",
    Peek.WAITING: "the stream ended before its first event",
    Peek.BEGUN: "the stream ended before its first content",
}


class AnswerMonitor:
    """One attempt's answer, from its headers to its end."""

    def __init__(
        self,
        provider: Provider,
        timeouts: Timeouts,
        limits: Limits,
        expected: Expectation,
        on_first_word: Callable[[], None] = lambda: None,
        on_minted: Callable[[Sequence[str]], None] = lambda _: None,
        on_begin: Callable[[], None] = lambda: None,
    ) -> None:
        """`timeouts` are the general ones. `on_begin`: it is an answer; `on_first_word`: something of it may go to the
        client. `on_minted` gets the fingerprints of the answer's thinking blocks, once, if it has any."""
        chosen = provider.timeouts.over(timeouts)
        limit = deadlines(chosen, stream=expected.stream, size=expected.size, others=expected.others)
        self.answer_within, self.sign_within, self.start_within = limit.answer, limit.sign, limit.start
        self.content_within, self.word_within, self._idle_within = limit.content, limit.word, limit.idle
        self.held_ping_after = limit.ping_after
        self.ping_after = None if provider.pings else limit.ping_after
        self.largest = limits.answer
        self.judgement: Judgement | None = None
        self.interruption = ""
        self.converted = ""
        """The form in which the answer came, when another one was asked for: `JSON` or `a stream`."""
        self._provider = provider
        self._expected = expected
        self._telling = Telling(provider, expected)
        self._stream = MessageStream(expected.reply_model, self._telling.shape)
        self._rest: list[bytes] | None = None
        self.begun = False
        self._on_begin = on_begin
        self._on_first_word = on_first_word
        self._on_minted = on_minted
        self._minted_told = False
        self._arriving = Arriving()
        self._incoming = Incoming(expected.translation)
        self._judging = Judging(provider, expected)
        self._instead = bytearray()
        """JSON that comes under the name of an event stream."""
        self._json_ruled_out = False
        """Something else has come."""
        self._usage: dict[str, int] = {}

    @property
    def usage(self) -> dict[str, int]:
        return self._usage or self._stream.usage

    @property
    def refusal(self) -> Refusal | None:
        """What of the request the provider named in refusing it, if anything is to be done about it."""
        return self._judging.refusal_in(self.judgement) if self.judgement is not None else None

    @property
    def alive(self) -> bool:
        """What has come of a stream is well formed, if it is not an answer yet."""
        return self._stream.alive

    @property
    def complete(self) -> bool:
        """A streamed answer came to its proper end."""
        return self._stream.ended and not self._stream.failure and not self._stream.torn

    @property
    def idle_within(self) -> float:
        return min(self._idle_within, END_WITHIN) if self.closing else self._idle_within

    @property
    def closing(self) -> bool:
        return self._stream.whole or self._incoming.whole

    @property
    def over(self) -> bool:
        return self._stream.ended or self.interruption != ""

    @property
    def broken(self) -> Judgement | None:
        """What it means that an answer broke off, or ended with an error event, after it had begun."""
        if self._stream.failure:
            return self._judging.judged(self._stream.failure)
        return self._judging.judged(b"", self.interruption) if self.interruption else None

    @property
    def cut(self) -> bool:
        """More has come than is kept."""
        return self._arriving.cut

    @property
    def received(self) -> bytes:
        """A streamed answer as the provider sent it, as much as is kept."""
        return self._arriving.received

    def streams(self, response: Response) -> bool:
        """Whether this answer is relayed while it arrives. Called with its headers."""
        head = self._judging.head_of(response)
        if not (self._expected.stream and head.succeeded and head.is_stream):
            return False
        return self._arriving.opens(head.fields.get("content-encoding", ""))

    def peek(self, data: bytes) -> bool | None:
        data = self._arriving.take(data)
        found = self._take_json(data) or self._stream.peek(self._incoming.events(data))
        if found in (Peek.BEGUN, Peek.VALID) and not self.begun:
            self.begun = True
            self._on_begin()
        if found in (Peek.WAITING, Peek.BEGUN) and not self._arriving.unreadable:
            return None
        if found is Peek.VALID:
            self._on_first_word()
            return True
        words = "an error without words" if self.begun else _UNDECIDED[Peek.FAILED]
        self.judgement = self._misformed(self._stream.failure, self._arriving.unreadable or words)
        return False

    def _take_json(self, data: bytes) -> Peek | None:
        """Keep JSON that comes under the name of an event stream: it may be a whole message. None for anything else."""
        if not self._instead and (self._json_ruled_out or not begins_like_json(data)):
            self._json_ruled_out = self._json_ruled_out or data.strip() != b""
            return None
        self._instead += data
        return Peek.WAITING if len(self._instead) <= self.largest else Peek.FAILED

    def concludes(self) -> bool:
        """Whether a stream that ended undecided is an answer all the same: a message as JSON, relayed as its events, or
        one of another dialect, which has no event for its end."""
        if self._incoming.whole:
            events: bytes | None = self._incoming.end()
        else:
            events = self._as_events(self._incoming.in_one_piece(bytes(self._instead), as_events=False))
        if events is None or self._stream.peek(events) in (Peek.WAITING, Peek.FAILED):
            return False
        self._on_first_word()
        return True

    def _as_events(self, content: bytes) -> bytes | None:
        """A message as JSON, for a client that wants a stream; None for what is no good answer in any form."""
        events = as_events(content) if self._expected.stream else None
        if events is None or self._judging.judged(content).verdict is not Verdict.OK:
            return None
        self.converted = "JSON"
        return events

    def relay(self, data: bytes) -> list[bytes]:
        if data:
            data = self._arriving.take(data)
        if unreadable := self._arriving.unreadable:
            return [words] if (words := self.interrupted(unreadable)) else []
        chunks = self._stream.relay(self._incoming.events(data))
        return self._with_end(chunks) if self._stream.ended else chunks

    def finish(self) -> list[bytes]:
        if self._rest is not None:
            return self._rest
        if self.interruption:
            return []
        chunks = self._left_to_say()
        if not self._stream.ended:
            chunks.append(self._last_words("the provider ended its stream before message_stop"))
        return self._with_end(chunks)

    def _left_to_say(self) -> list[bytes]:
        rest = self._incoming.end()
        return [*(self._stream.relay(rest) if rest else ()), *self._stream.finish()]

    def _with_end(self, chunks: list[bytes]) -> list[bytes]:
        """What goes out last; with the reason where the answer turned out to be none."""
        self.tell_minted()
        if self._stream.torn and not self.interruption:
            chunks.append(self._last_words(self._stream.torn))
        return chunks

    def tell_minted(self) -> None:
        """Report the thinking blocks of a streamed answer, as far as it has come.

        Done at its end; who learns that nothing more will come, because the client has left, does it then.
        """
        if not self._minted_told:
            self._minted_told = True
            self._note_minted(self.received)

    def _note_minted(self, answer: bytes) -> None:
        if fingerprints := self._incoming.minted(answer):
            self._on_minted(fingerprints)

    def __call__(self, data: bytes) -> list[bytes]:
        """The form in which mitmproxy calls a stream: chunk by chunk, and once with b"" at the end."""
        return self.relay(data) if data else self.finish()

    def accepts(self, response: Response) -> bool:
        """Judge a complete answer, by what it is and not by what it is called. One that may go to the client is made
        what the client can read."""
        head = self._judging.head_of(response)
        sent = (response.get_content(strict=False) or b"").removeprefix(BYTE_ORDER_MARK)
        as_events = begins_like_events(sent) or (head.is_stream and not begins_like_json(sent))
        content = self._incoming.in_one_piece(sent, as_events=as_events) if head.succeeded else sent
        if head.succeeded and as_events:
            return self._accepts_whole_stream(response, content)
        if head.succeeded and (events := self._as_events(content)) is not None:
            return self._accepts_whole_stream(response, events)
        self.judgement = self._judging.judged(content)
        if self.judgement.verdict is Verdict.OK and (fault := self._judging.misfit(content)):
            self.judgement = self._judging.judged(b"", f"{response.status_code} {fault}")
        if self.judgement.verdict is Verdict.OK:
            self._on_first_word()
            self._usage = read_usage(content)
            self._note_minted(content)
            told = self._telling.message(content)
            if head.is_stream:
                put_in_place(response, told, "application/json")
            elif told is not sent:
                response.content = told
            return True
        if self.judgement.verdict is Verdict.REQUEST and not head.succeeded and self.refusal is None:
            self.shape_error(response)
            return True
        return False

    def shape_error(self, response: Response) -> None:
        """Make an error answer that is the last word Anthropic's, unless it comes from a first party."""
        if self.judgement is not None:
            self._telling.put_error(response, self.judgement)

    def _accepts_whole_stream(self, response: Response, content: bytes) -> bool:
        """A stream in one piece: from a server replay, in an encoding that is not opened on the way, under another
        name, or made of JSON."""
        if self._expected.endpoint != "messages":
            words = f"{response.status_code} answered with a stream that was not asked for"
            self.judgement = self._judging.judged(b"", words)
            return False
        self._arriving.keep(content)
        seen = self._stream.peek(content)
        events = b"".join([*self.relay(b""), *self.finish()])
        named_stream = self._judging.head.is_stream
        told = events if self._expected.stream else as_message(events)
        if seen is not Peek.VALID:
            self.judgement = self._misformed(self._stream.failure, _UNDECIDED[seen])
        elif not self.complete and not (named_stream and self._expected.stream):
            # Nobody has seen anything of it: another target may answer.
            self.judgement = self._misformed(self._stream.failure, self.interruption)
        elif told is None:
            self.judgement = self._judging.judged(b"", "a tool use in the stream is no JSON")
        else:
            self._on_first_word()
            if not self._expected.stream:
                self.converted = "a stream"
            self._telling.put_whole_stream(response, told, as_named=named_stream and not self.converted)
            return True
        return False

    def ping(self) -> bytes:
        return PING if self._stream.at_boundary else b""

    def interrupted(self, reason: str) -> bytes:
        if self.interruption:
            return b""
        rest = self._left_to_say() if not self._stream.ended else []
        if self._stream.ended:
            self._rest = self._with_end(rest)
            return b""
        self.tell_minted()
        return b"".join([*rest, self._last_words(reason)])

    def _last_words(self, reason: str) -> bytes:
        self.interruption = reason
        # A frame of which a part has been sent is ended first, or the client would read the error as its data.
        gap = b"" if self._stream.at_boundary else b"\n\n"
        return gap + error_event("anthropic", "api_error", f"{self._provider.name}: {reason}")

    def failed(self, reason: str) -> Judgement:
        """What the failure of this attempt means. `reason` is the stream's; empty when the answer itself was one."""
        if self.judgement is None:
            self._stream.peek(self._incoming.end())
            is_page = not self._stream.looks_like_events
            self._stream.finish()
            # A JSON error that came under the name of an event stream says more than "empty stream".
            told, words = self._stream.failure or bytes(self._instead), reason or "no answer"
            self.judgement = self._misformed(told, words) if told or is_page else self._judging.judged(b"", words)
        return self.judgement

    def _misformed(self, body: bytes, error: str) -> Judgement:
        return self._judging.misformed(body, error, reported=self._stream.reports)
