"""How the client gets an answer: a first party's as it came, others completed, each in the form that was asked for."""

from __future__ import annotations

from functools import partial

from turnout.dialects.messages.reply import ForeignReply
from turnout.dialects.messages.stream import reply_model
from turnout.health.verdict import Judgement
from turnout.journey.expectation import Expectation
from turnout.journey.foreign import shaped_error, shaped_event
from turnout.journey.response import Response, put_in_place
from turnout.settings.model import Provider


class Telling:
    """Puts what the client is to read into a response."""

    def __init__(self, provider: Provider, expected: Expectation) -> None:
        self.shape: ForeignReply | None = None
        """How the answer of another provider is completed; None where it stays as it is."""
        self._first_party = provider.first_party
        self._expected = expected
        if expected.reply_model is not None and not provider.first_party:
            # Nothing of the monitor's: one in a cycle would keep megabytes until the next garbage collection.
            self.shape = ForeignReply(
                expected.reply_model,
                partial(shaped_event, provider, expected.credential),
                safeguard_results=expected.safeguard_results,
                tool_names=expected.tool_names,
            )

    def message(self, content: bytes) -> bytes:
        """A good answer as the client is to read it; the same object when it may stay as it is."""
        if self.shape is not None:
            return self.shape.message(content) if self._expected.endpoint == "messages" else self.shape.count(content)
        model = self._expected.reply_model
        return content if model is None else reply_model(content, model)

    def put_whole_stream(self, response: Response, told: bytes, *, as_named: bool) -> None:
        """A stream that came in one piece; `told`: its events, or the message that they make when none were asked for.

        `as_named`: it came under the name of a stream, and keeps the encoding that the response has.
        """
        if not self._expected.stream:
            put_in_place(response, self.message(told), "application/json")
        elif as_named:
            response.content = told
        else:
            put_in_place(response, told, "text/event-stream; charset=utf-8")

    def put_error(self, response: Response, judgement: Judgement) -> None:
        """Anthropic's shape for an error, unless it comes from a first party."""
        if self._first_party:
            return
        content = response.get_content(strict=False) or b""
        status, body = shaped_error(response.status_code, content, judgement)
        response.status_code = status
        if body is not content:
            response.content = body
            response.headers["content-type"] = "application/json"
