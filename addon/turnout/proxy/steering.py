"""How the addon steers a stream: the contract between the two, kept outside the flow's own (saved) data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, TypeVar
from weakref import WeakKeyDictionary

from mitmproxy import http
from mitmproxy.proxy import commands

from turnout.errors import Dialect, dialect_of
from turnout.redaction.secret import Secret
from turnout.settings.ways import DIRECT, Way
from turnout.wire.headers import Fields

Value = TypeVar("Value")


class AttemptMonitor(Protocol):
    """What a stream asks about the attempt under way. It knows the dialect and the limits; the stream knows neither.

    Times are seconds.
    """

    answer_within: float
    """From the sent request to the first sign of life (or the end of an answer that is not streamed)."""
    sign_within: float
    """From one sign of life to the next, until the answer has begun."""
    start_within: float
    """From the sent request to the beginning of the answer, whatever signs of life there are."""
    content_within: float
    """Longest silence of an answer that has begun, before something of it may go to the client."""
    word_within: float
    """How long after its beginning that may be, however little silence there is."""
    ping_after: float | None
    """Silence towards the client of a stream after which `ping` is asked for; None: never."""
    held_ping_after: float
    """How long an answer that has begun is held back without a word to the client, and from one `ping` to the next."""
    begun: bool
    """The stream is an answer: only its contents are still to come, and it can still be another's."""
    largest: int
    """Bytes of an answer that is not streamed; one that is larger is given up."""

    @property
    def alive(self) -> bool:
        """What has come of a stream is a sign of life."""

    @property
    def idle_within(self) -> float:
        """Longest silence inside a stream."""

    @property
    def closing(self) -> bool:
        """All of a stream has come but its end."""

    @property
    def over(self) -> bool:
        """A stream has come to its end, whatever its provider may still send."""

    def peek(self, data: bytes) -> bool | None:
        """First bytes of a stream, before any of them goes to the client: None undecided, True something is said, False
        failed."""

    def concludes(self) -> bool:
        """The stream has ended, and `peek` is undecided: True when it is an answer after all, which `finish` gives."""

    def relay(self, data: bytes) -> list[bytes]:
        """What of a stream goes to the client. Bytes given to `peek` before come out first."""

    def finish(self) -> list[bytes]:
        """What is left to send when the provider has ended its stream."""

    def accepts(self, response: http.Response) -> bool:
        """Whether a complete answer may go to the client."""

    def ping(self) -> bytes:
        """An event that keeps the client waiting; empty when none may be inserted now."""

    def interrupted(self, reason: str) -> bytes:
        """Last words to a client whose stream broke off after it had begun; empty when it had come to its end."""


class Address(NamedTuple):
    """Where a request is sent."""

    scheme: str
    host: str
    port: int


class Masking(Protocol):
    """What may not be shown of a message. Each returns the same object when it finds nothing."""

    @property
    def known(self) -> frozenset[Secret]:
        """What is looked for beside everything that looks like a secret."""

    def fields(self, fields: Fields) -> Fields:
        """Header fields, one for one."""

    def path(self, path: bytes) -> bytes: ...

    def text(self, text: str) -> str: ...

    def body(self, message: http.Message) -> bytes:
        """The body of a message, plain when it had to be opened to take a secret out; never empty where it is not."""

    def learnt(self, body: bytes, before: Masking) -> bytes:
        """A masked body without what was not known `before`."""


class Hidden(NamedTuple, Generic[Value]):
    """One part of a message: what the flow shows, and what is sent."""

    shown: Value
    sent: Value


class HiddenField(NamedTuple):
    """A header of which the flow shows another value than the one that is sent."""

    name: bytes
    shown: bytes
    sent: bytes


class HiddenBody(NamedTuple):
    shown: bytes
    sent: bytes
    opened: bool = False
    """It is sent compressed and shown plain."""


@dataclass(slots=True)
class Withheld:
    """What of a message is not in its flow, which is shown and saved meanwhile."""

    message: http.Message | None = None
    line: Hidden[bytes] | None = None
    """The path of a request, the reason of an answer."""
    fields: Hidden[Fields] | None = None
    secret: tuple[HiddenField, ...] = ()
    """Those of the fields that are not shown as they are sent."""
    trailers: Hidden[Fields] | None = None
    body: HiddenBody | None = None
    first: HiddenBody | None = None
    """The body as it came. What was looked through once is not looked through again when a later attempt sends it."""


@dataclass(slots=True)
class Steering:
    """One flow: the stream sets `accepted`, `failure`, `too_large`, `client_left`, `head_sent` and `dialled_again`, the
    addon all the rest."""

    monitor: AttemptMonitor | None = None
    """Of the attempt under way; None: whatever is in `flow.response` is final."""
    address: Address | None = None
    """Where that attempt goes. Nothing else is dialled."""
    dialect: Dialect = "anthropic"
    """The client's."""
    to_client: Callable[[bytes], bytes] | None = None
    """What the bytes of a stream become for a client of another dialect; empty where they say nothing to it."""
    way: Way = DIRECT
    """How it gets there."""
    max_body: int | None = None
    """Bytes of request body that are kept; with more, `too_large` is set and the rest discarded. None: the request has
    not been admitted."""
    accepted: bool = False
    """A client has sent it; nobody replays it."""
    on_release: Callable[[], None] = lambda: None
    """Called when the stream is done with the flow."""
    too_large: bool = False
    failure: str = ""
    """Why the stream gave up the attempt, when it was not the answer's own content."""
    client_left: bool = False
    """What ended the exchange was the client's doing."""
    head_sent: bool = False
    """The client has got the head of a stream, and nothing but pings in it: whatever answers now is a part of it."""
    dialled_again: bool = False
    """The attempt under way met a connection that its provider had just closed, and got a new one."""
    again: bool = False
    """Answer of the `upstream_failed` hook: run the request again."""
    masks: Masking | None = None
    """What is withheld; None: nothing yet."""
    request: Withheld = field(default_factory=Withheld)
    """What reaches the provider, but is not in `flow.request`."""
    response: Withheld = field(default_factory=Withheld)
    """What reaches the client, but is not in `flow.response`."""
    error: str | None = None
    """The flow's error as it is shown."""


@dataclass
class UpstreamFailedHook(commands.StartHook):
    """An attempt failed before anything reached the client.

    The addon either sets `steering(flow).again` to have the request run again, or `flow.response` to answer.
    """

    flow: http.HTTPFlow


_steerings: WeakKeyDictionary[http.HTTPFlow, Steering] = WeakKeyDictionary()


def steering(flow: http.HTTPFlow) -> Steering:
    """The steering of this flow object, made on first use. Copies of a flow have none of it."""
    found = _steerings.get(flow)
    if found is None:
        # From here on the path may become a provider's.
        found = _steerings[flow] = Steering(dialect=dialect_of(flow.request.path))
    return found


def is_carried(flow: http.HTTPFlow) -> bool:
    """Whether a stream that asks this module carries the flow. One that was made before the package was replaced asks
    the module it came with."""
    return flow in _steerings


def carries_nothing() -> bool:
    """Whether no stream that asks this module carries a flow."""
    return not _steerings


def address_of(flow: http.HTTPFlow) -> Address:
    """Where the flow's request goes as it stands."""
    return Address(flow.request.scheme, flow.request.host, flow.request.port)


def engage(flow: http.HTTPFlow, monitor: AttemptMonitor, way: Way = DIRECT) -> None:
    """The flow's request is an attempt: it may be sent, to the address that it has now and to no other, this way."""
    guide = steering(flow)
    guide.monitor, guide.address, guide.way, guide.dialled_again = monitor, address_of(flow), way, False


def disengage(flow: http.HTTPFlow) -> None:
    """Nothing may be sent for this flow: what is or will be in `flow.response` is final."""
    guide = steering(flow)
    guide.monitor, guide.address, guide.way = None, None, DIRECT


def release(flow: http.HTTPFlow) -> None:
    """The stream is done with the flow: what was for its way alone goes, megabytes and credentials among it."""
    guide = _steerings.pop(flow, None)
    if guide is not None:
        guide.on_release()
