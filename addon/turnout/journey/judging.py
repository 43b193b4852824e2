"""What the answer to one attempt means: the error that it holds, or why it is not the answer that was asked for."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from turnout.dialects.error_body import ErrorBody
from turnout.dialects.messages.refusals import Refusal, of_history
from turnout.dialects.messages.refusals.words import lessons_told
from turnout.health.verdict import Judgement, Outcome, Verdict, judge
from turnout.health.wording import about
from turnout.journey.expectation import Expectation
from turnout.journey.response import Response
from turnout.settings.model import Kind, Provider
from turnout.settings.toml_lines import toml_key
from turnout.wire.headers import is_event_stream, lowered
from turnout.wire.splice import top_level

_NOT_THERE = (404, 405, 407)
"""What servers answer on paths that they do not have, and proxies to those that they do not know."""
_NO_SUCH_PATH = (404, 405)
_MODEL = re.compile("model|deployment", re.IGNORECASE)

_OTHER_KIND: Mapping[Kind, tuple[str, Kind]] = {
    "anthropic": ("Chat Completions", "openai"),
    "openai": ("Anthropic's Messages API", "anthropic"),
}
"""What a server may speak instead, and the kind that it needs then."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of an answer before its body."""

    status: int = 200
    fields: Mapping[str, str] = field(default_factory=dict)
    """Its headers, by lower-case name."""

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_stream(self) -> bool:
        """It is called a stream; what it is shows its body."""
        return is_event_stream(self.fields)


class Judging:
    """Judges one answer of a provider, piece by piece."""

    def __init__(self, provider: Provider, expected: Expectation) -> None:
        self.head = Head()
        self._provider = provider
        self._expected = expected

    def head_of(self, response: Response) -> Head:
        """The head of the answer, by which all that follows is judged."""
        self.head = Head(response.status_code, lowered(response.headers))
        return self.head

    def judged(self, body: bytes, error: str | None = None) -> Judgement:
        """What a body means, or where there is none, an `error` in words."""
        if body or error is None:
            outcome = Outcome(status=self.head.status, headers=self.head.fields, body=body)
        else:
            outcome = Outcome(error=error)
        translation = self._expected.translation
        lessons = lessons_told if translation is None else translation.lessons
        judgement = judge(outcome, error_codes=self._provider.error_codes, lessons=lessons, now=time.time())
        if judgement.unreachable:
            return replace(judgement, address=self._expected.address.partition(" ")[0])  # the fault names the proxy
        return self._with_address(judgement) if outcome.status is not None else judgement

    def misformed(self, body: bytes, error: str, *, reported: bool) -> Judgement:
        """What it means that something else came in the place of an answer.

        An error that it tells of counts; else the same request would bring the same form again. `reported`: it came as
        an error of the provider's.
        """
        judgement = self.judged(body, error)
        if body and judgement.verdict is not Verdict.OK:
            return judgement
        judgement = self.judged(b"", error)
        return judgement if reported else replace(judgement, retryable=False)

    def misfit(self, content: bytes) -> str:
        """Why a success is not the JSON answer that was asked for; empty when it is."""
        fields = top_level(content)
        if fields is None:
            if encoding := self.head.fields.get("content-encoding"):
                return f"answered with {encoding} data that cannot be read"
            kind = self.head.fields.get("content-type", "nothing").partition(";")[0]
            return f"answered with {kind} instead of JSON"
        if self._expected.stream:
            return "answered with JSON instead of a stream"
        wanted = "content" if self._expected.endpoint == "messages" else "input_tokens"
        return "" if wanted in fields else f"answered without {wanted}"

    def refusal_in(self, judgement: Judgement) -> Refusal | None:
        """What of the request the provider named in refusing it, if anything is to be done about it.

        At a first party that is only what came of earlier answers: the client need not know that others gave them.
        """
        found = judgement.refusal
        if found is None or self._provider.learns:
            return found
        return of_history(found) if self._provider.rewrite.learn is None else None

    def _with_address(self, judgement: Judgement) -> Judgement:
        """A refusal that may be of the address tells it: whoever wrote it into the configuration has to see it."""
        of_the_way = self.head.status in _NOT_THERE or 300 <= self.head.status <= 399
        if not (of_the_way and self._expected.address) or "model" in judgement.message.lower():
            return judgement
        advice = self._of_kind(judgement)
        reason = f"{judgement.reason} at {self._expected.address}{f' ({advice})' if advice else ''}"
        return replace(judgement, reason=reason, address=self._expected.address, advice=advice)

    def _of_kind(self, judgement: Judgement) -> str:
        """What to do if the server speaks another dialect than its provider's kind: it has no such path then.

        Many that speak the Messages API do not count tokens, which says nothing. Nor does what only this request
        refers to, or a model by any name.
        """
        provider = self._provider
        if self.head.status not in _NO_SUCH_PATH or self._expected.endpoint != "messages" or provider.first_party:
            return ""
        told = judgement.told
        if not judgement.cools or (told is not None and _is_of_model(told)):
            return ""
        dialect, kind = _OTHER_KIND[provider.kind]
        key = f"providers.{toml_key(provider.name)}"
        return f'if this server speaks {dialect}, set kind = "{kind}" for {key} in mitm.conf'


def _is_of_model(told: ErrorBody) -> bool:
    return bool(_MODEL.search(told.words)) or about(told.message, told.codes) == "model"
