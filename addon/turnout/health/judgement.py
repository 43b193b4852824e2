"""The outcome of an attempt, and what it is judged to mean: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from turnout.dialects.error_body import ErrorBody
from turnout.dialects.messages.refusals import Overflow, Refusal
from turnout.health.page import Page

NOTHING: Mapping[str, str] = MappingProxyType({})
"""No headers, no codes."""

LONGEST_MESSAGE = 300


class Verdict(StrEnum):
    """What an outcome says about the target and its credential."""

    OK = "ok"
    QUOTA = "quota"
    """The credential has used up what it may use; waiting seconds does not help."""
    QUOTA_MODEL = "quota_model"
    """The same for one model family; the credential still serves others."""
    THROTTLE = "throttle"
    """Too much at once; over in seconds or minutes."""
    THROTTLE_REQUEST = "throttle_request"
    """A 429 about this request alone (fast mode, long context); others are served."""
    OVERLOADED = "overloaded"
    TRANSIENT = "transient"
    """Network faults, deadlines, server errors."""
    CREDENTIAL = "credential"
    """The credential is refused."""
    NOT_FOUND = "not_found"
    """The provider does not have this model or endpoint."""
    REQUEST = "request"
    """The request is at fault; no other provider would do better."""
    CANCELLED = "cancelled"
    """The client left."""


USED_UP = frozenset({Verdict.QUOTA, Verdict.QUOTA_MODEL})
"""What may be used is used up; it is had again at a time, not after a while."""
WAITING_HELPS = frozenset({Verdict.THROTTLE, Verdict.OVERLOADED, Verdict.TRANSIENT})
"""What is over soon: the same target may be tried again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended, or began to answer."""

    status: int | None = None
    """None: no response at all."""
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Lower-case names."""
    body: bytes = b""
    """The JSON body of the answer, or the `data` JSON of the first SSE event."""
    error: str | None = None
    """Network error, missed deadline or protocol fault, in words: "connect timeout after 10 s", "empty stream"."""
    cancelled: bool = False
    """The client left."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and what follows from the outcome for cooldowns, retries, notes and error bodies."""

    verdict: Verdict
    reason: str
    """Short, one line: "429 quota (five_hour)", "529 overloaded", "connection refused"."""
    until: float | None = None
    """Unix time at which the provider says it can be used again, as far as that is believed (`health.limits`)."""
    retry_after: float | None = None
    """Seconds to wait, in the provider's words or derived from the limits it reports; believed likewise."""
    error_type: str = "api_error"
    """The Anthropic `error.type` that fits."""
    message: str = ""
    """The provider's own message, at most 300 characters."""
    retryable: bool | None = None
    """`x-should-retry` of the provider, or False where it makes no sense; None when the provider did not say."""
    timed_out: bool = False
    """A deadline passed: the attempt has cost its full wait already."""
    unreachable: bool = False
    """There was no connection."""
    cools: bool = True
    """False where the verdict came of something that only this request asks for, so that others may be served."""
    model_only: bool = False
    """A refused credential that may still be good for other models."""
    refusal: Refusal | None = None
    """What of the request the provider named in refusing it."""
    address: str = ""
    """The address that was asked, where it may be the wrong one."""
    advice: str = ""
    """What to set in the configuration, where what it says of the provider may be wrong."""
    status: int | None = None
    """The HTTP status that the error stands for, which is not always the one it came with."""
    page: Page | None = None
    """What answered was no API at all."""
    location: str = ""
    """Where a redirect leads, as the provider wrote it."""
    of_account: bool = False
    """A refused credential whose account is out of use: to sign in again does not help."""
    told: ErrorBody | None = field(default=None, compare=False, repr=False)
    """All that the body says; None where there was none, or it was not looked at."""

    @property
    def of_the_way(self) -> bool:
        """What answered was something on the way to the API, or a wrong address."""
        return self.page is not None or self.location != ""

    @property
    def overflow(self) -> Overflow | None:
        """The request is too long for the model."""
        return self.refusal if isinstance(self.refusal, Overflow) else None
