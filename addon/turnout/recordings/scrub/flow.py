"""Makes a flow fit to be published: no secrets, people or machines in it, and nobody's prose."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

from mitmproxy import http
from mitmproxy.flow import Flow

from turnout.errors import TurnoutError
from turnout.metadata import EXCHANGE, PREFIX, SERVED_BY
from turnout.recordings.scrub.body import Filler
from turnout.recordings.scrub.headers import EPOCH, header_value
from turnout.recordings.scrub.text import Numbering, masked, numbered, prose, without_hosts
from turnout.redaction.secret import MASK

TURNOUT = ("127.0.0.1", 8082)
NOWHERE = ("127.0.0.1", 9)
"""Addresses that stay, besides names that end in `.invalid`. The proxy's own address becomes that of TURNOUT. All
others must be named, or become `host-N.invalid`."""

_PATH_WORD = re.compile(
    r"v\d+(?:alpha|beta)?\d*|api|anthropic|messages|count_tokens|batches|models?|complete|chat|completions|responses"
    r"|embeddings|files|content|openai|inference|paas|coding|compatible-mode|deployments|projects|locations|publishers|google|invoke|converse"
    r"|invoke-with-response-stream|converse-stream|event_logging|batch|hello|oauth|usage|skills|health|status|\.{0,2}"
    r"|(?:claude|gpt|kimi|glm|minimax|deepseek|qwen|gemini)-[\w.@-]{1,60}",
    re.IGNORECASE,
)
_HARMLESS_QUERY_VALUE = re.compile(r"true|false|\d{0,6}|")
_QUERY_NAME = re.compile(rb"[A-Za-z][\w.$\[\]-]{0,40}")
_METHOD = re.compile(rb"[A-Z]{3,10}")
_TIME = (
    r"(?<![\w.:-])(?:\d{4}-\d\d-\d\d[ T])?(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?"
    r"(?:Z|[+-]\d\d:?\d\d)?(?![\w:])"
)
_TIME_OR_ADDRESS = re.compile(rf"({_TIME})|\('[^']*', \d+\)|\b[\w.-]+:\d{{2,5}}\b")
_MARKER = re.compile(r":[a-z0-9_+-]{1,40}:|")
_LOOPBACK = re.compile(r"127\.[\d.]+|localhost|::1|0\.0\.0\.0|::|")
# Python 3.13 took over the words of RFC 9110; mitmproxy and servers still say the others.
_OTHER_REASONS = (
    ("Content Too Large", "URI Too Long", "Range Not Satisfiable", "Unprocessable Content")
    + ("Request Entity Too Large", "Request-URI Too Long", "Requested Range Not Satisfiable", "Unprocessable Entity")
)  # fmt: skip
_REASONS = frozenset(("", *(status.phrase for status in HTTPStatus), *_OTHER_REASONS))
_STEPS = {
    "client_conn": {"timestamp_start": 0, "timestamp_tls_setup": 1, "timestamp_end": 99},
    "request": {"timestamp_start": 2, "timestamp_end": 3},
    "server_conn": {
        "timestamp_start": 4, "timestamp_tcp_setup": 5, "timestamp_tls_setup": 6, "timestamp_end": 98
    },
    "response": {"timestamp_start": 7, "timestamp_end": 8},
    "error": {"timestamp": 9},
}  # fmt: skip


class ScrubError(TurnoutError):
    """A recording that cannot be made fit to be published."""


class Scrubber:
    """Scrubs the flows of one recording. What is equal in the recording is equal afterwards."""

    def __init__(self, hosts: Mapping[str, str] | None = None, *, keep_text: bool = False) -> None:
        """`hosts` names addresses: `HOST:PORT` as recorded → `HOST:PORT` as published.

        `keep_text` leaves what people, models and tools said, but for what is personal in it. Raises ScrubError for
        something that is no `HOST:PORT`.
        """
        self.numbering = Numbering()
        self.hosts = {address(old): address(new) for old, new in (hosts or {}).items()}
        self.headers = 0
        """How many header values were masked."""
        self._hidden: list[str] = []
        self.filler = Filler(self.numbering, keep_text, self._hidden)
        for host, _ in self.hosts:
            self._hide(host)
        self._count = 0

    def flow(self, flow: Flow) -> http.HTTPFlow:
        """A scrubbed copy, with a scrubbed backup where there is one, of a flow that `is_exchange`."""
        state: dict[str, Any] = flow.get_state()
        start = EPOCH + 10 * self._count
        self._count += 1
        backup = state["backup"]
        for one in (state, backup):
            if one is not None:
                self._learn_addresses(one)
        scrubbed = self._state(state, start)
        scrubbed["backup"] = self._state(backup, start) if backup is not None else None
        return cast(http.HTTPFlow, http.HTTPFlow.from_state(scrubbed))

    def _state(self, state: dict[str, Any], start: float) -> dict[str, Any]:
        copy = cast(http.HTTPFlow, http.HTTPFlow.from_state({**state, "backup": None}))
        shift = start - state["request"]["timestamp_start"]
        for message in (copy.request, copy.response):
            if message is not None:
                _decode(message)
        state = cast("dict[str, Any]", copy.get_state())
        self._connections(state)
        self._message(state["request"], shift, {}, answer=False)
        self._request_line(state)
        if state["response"] is not None:
            self._message(state["response"], shift, state["metadata"], answer=True)
            state["response"]["reason"] = _reason(state["response"])
        self._notes(state)
        _set_times(state, start)
        return state

    # --- where ---

    def _learn_addresses(self, state: dict[str, Any]) -> None:
        own = state["client_conn"]["sockname"]
        if own and own[1]:
            self.hosts.setdefault((str(own[0]), int(own[1])), TURNOUT)
        server = state["server_conn"]
        for place in (own, state["client_conn"]["peername"], server["peername"], server["sockname"], server["address"]):
            if place:
                self._hide(str(place[0]))
        for name in (state["client_conn"]["sni"], server["sni"], state["request"]["host"]):
            self._hide(str(name or ""))

    def _hide(self, host: str) -> None:
        if len(host) > 3 and host not in self._hidden and not _LOOPBACK.fullmatch(host) and not _is_invalid(host):
            self._hidden.append(host)

    def _place(self, place: Sequence[Any]) -> tuple[str, int]:
        host, port = str(place[0]), int(place[1])
        if (host, port) in self.hosts:
            return self.hosts[host, port]
        if _LOOPBACK.fullmatch(host) and self.hosts.get(("127.0.0.1", port)) == TURNOUT:
            return TURNOUT
        if (host, port) in (TURNOUT, NOWHERE) or _is_invalid(host) or (host, port) in self.hosts.values():
            return host, port
        number = sum(_is_numbered(name) for name, _ in self.hosts.values()) + 1
        self.hosts[host, port] = f"host-{number}.invalid", port if port < 1024 else 80
        return self.hosts[host, port]

    def _connections(self, state: dict[str, Any]) -> None:
        client, server = state["client_conn"], state["server_conn"]
        client |= {"peername": ("127.0.0.1", 50000), "sockname": TURNOUT, "mitmcert": None, "certificate_list": []}
        mode = str(client["proxy_mode"]).partition(":")[0]
        client["proxy_mode"] = "reverse:http://127.0.0.1:9@127.0.0.1:8082" if mode == "reverse" else "regular"
        server |= {"peername": None, "sockname": None, "certificate_list": [], "via": None}
        server["address"] = self._place(server["address"]) if server["address"] else None
        for connection in (client, server):
            connection["id"] = self._number(str(connection["id"]))
            connection["error"] = self._clean(connection["error"])
            connection["sni"] = server["address"][0] if connection["sni"] and server["address"] else None

    def _request_line(self, state: dict[str, Any]) -> None:
        request = state["request"]
        request["host"], request["port"] = host, port = self._place((request["host"], request["port"]))
        usual = {b"http": 80, b"https": 443}.get(request["scheme"]) == port
        netloc = (host if usual else f"{host}:{port}").encode()
        request["headers"] = tuple((n, netloc if n.lower() == b"host" else v) for n, v in request["headers"])
        request["authority"] = netloc if request["authority"] else b""
        if not _METHOD.fullmatch(request["method"]):
            request["method"] = b"POST"
        path, mark, query = request["path"].partition(b"?")
        words = [self._path_word(word) for word in path.split(b"/")]
        pairs = [self._query_pair(pair) for pair in query.split(b"&")]
        request["path"] = masked(b"/".join(words)) + mark + masked(b"&".join(pairs))

    def _path_word(self, word: bytes) -> bytes:
        known = _PATH_WORD.fullmatch(word.decode("latin-1")) is not None or word == b"*"
        return word if known else self.numbering(word)

    def _query_pair(self, pair: bytes) -> bytes:
        name, equals, value = pair.partition(b"=")
        if pair and not (equals and _QUERY_NAME.fullmatch(name)):
            return MASK.encode()
        return name + equals + (value if _HARMLESS_QUERY_VALUE.fullmatch(value.decode("latin-1")) else MASK.encode())

    # --- what ---

    def _message(self, message: dict[str, Any], shift: float, notes: Mapping[str, Any], *, answer: bool) -> None:
        for part in ("headers", "trailers"):
            if message[part] is not None:
                message[part] = tuple(self._field(name, value, shift, notes) for name, value in message[part])
        if not message["content"]:
            return
        kinds = {name.lower(): value.decode("latin-1") for name, value in message["headers"]}
        content = self.filler.body(message["content"], kinds.get(b"content-type", ""), answer=answer)
        message["content"] = content
        size = str(len(content)).encode()
        message["headers"] = tuple(
            (name, size if name.lower() == b"content-length" else value) for name, value in message["headers"]
        )

    def _field(self, name: bytes, value: bytes, shift: float, notes: Mapping[str, Any]) -> tuple[bytes, bytes]:
        if name.lower() == SERVED_BY.encode():
            served = [str(notes.get(PREFIX + key, "")) for key in ("provider", "model")]
            # It says what stands in the notes, and stays as they do.
            if all(served) and value == "/".join(served).encode():
                return name, "/".join(self._clean(word) or "" for word in served).encode()
        kept = header_value(name.decode("latin-1").lower(), value, shift, self.numbering)
        self.headers += kept == MASK.encode() != value
        return masked(name), kept

    def _notes(self, state: dict[str, Any]) -> None:
        """Turnout's own notes stay; what others wrote is prose."""
        state["id"] = self._number(str(state["id"]))
        metadata = {name: value for name, value in state["metadata"].items() if name.startswith(PREFIX)}
        noted = bool(metadata)
        state["metadata"] = {
            name: self._number(value) if name == EXCHANGE else self._clean(value)
            for name, value in sorted(metadata.items())  # mitmproxy turns the order round whenever it writes a file
            if isinstance(value, str)
        }
        comment = state["comment"]
        words = noted or self.filler.keep_text
        state["comment"] = self._clean(comment) if words else prose(comment.encode()).decode()
        state["marked"] = state["marked"] if _MARKER.fullmatch(state["marked"]) else ":default:"
        if state["error"] is not None:
            state["error"]["msg"] = self._clean(state["error"]["msg"])

    def _number(self, identifier: str) -> str:
        return self.numbering(identifier.encode()).decode()

    def _clean(self, text: str | None) -> str | None:
        """A short technical text without addresses, times, identifiers and anything personal."""
        if not text:
            return text
        data = without_hosts(numbered(masked(text.encode(errors="replace")), self.numbering), self._hidden)
        return _TIME_OR_ADDRESS.sub(lambda found: "12:00" if found[1] else "(address)", data.decode(errors="replace"))


def is_exchange(flow: Flow) -> bool:
    """Whether it is an HTTP request, not a connection of another kind or one that became a WebSocket."""
    return isinstance(flow, http.HTTPFlow) and flow.websocket is None


def address(text: str) -> tuple[str, int]:
    """`HOST:PORT`, `[HOST]:PORT` for IPv6. Raises ScrubError for anything else."""
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65536:
        raise ScrubError(f"{text!r} is no HOST:PORT.")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _is_invalid(host: str) -> bool:
    return host.endswith(".invalid")


def _is_numbered(host: str) -> bool:
    return re.fullmatch(r"host-\d+\.invalid", host) is not None


def _decode(message: http.Message) -> None:
    """Undo the content coding. What cannot be decoded has none afterwards, and becomes filler as it is."""
    if message.raw_content and "content-encoding" in message.headers:
        try:
            message.decode()
        except ValueError:
            del message.headers["content-encoding"]


def _reason(response: dict[str, Any]) -> bytes:
    """The reason phrase, if it is the one that goes with the status, or a known one."""
    phrase: bytes = response["reason"]
    return phrase if phrase.decode("latin-1") in _REASONS else prose(phrase)


def _set_times(state: dict[str, Any], start: float) -> None:
    state["timestamp_created"] = start
    for part, steps in _STEPS.items():
        for name, tenths in steps.items():
            if state[part] is not None and state[part].get(name) is not None:
                state[part][name] = start + tenths / 10
