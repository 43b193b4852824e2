"""Makes flow files fit to be published: `python -m turnout.recordings.scrub IN OUT [HOST:PORT=HOST:PORT …]`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from mitmproxy import http
from mitmproxy.exceptions import FlowReadException
from mitmproxy.flow import Flow
from mitmproxy.io import FlowReader, FlowWriter

from turnout.errors import TurnoutError
from turnout.recordings.filler import PERSONAL, Numbering, body_like, masked
from turnout.settings.secret import MASK, SECRET_HEADERS

EPOCH = 1_700_000_000.0
"""Unix time of the first flow; each further one begins ten seconds later, and its steps are a tenth apart."""

TURNOUT = ("127.0.0.1", 8082)
NOWHERE = ("127.0.0.1", 9)
"""Addresses that stay, besides names that end in `.invalid`. All others must be named, or become `host-N.invalid`."""

HARMLESS_HEADERS = re.compile(
    r"accept|accept-encoding|anthropic-(?:beta|version|dangerous-direct-browser-access)|anthropic-ratelimit-.+"
    r"|cache-control|connection|content-(?:length|type)|retry-after(?:-ms)?|server|transfer-encoding|user-agent"
    r"|x-app|x-should-retry|x-stainless-.+",
)
IDENTIFYING_HEADERS = frozenset(
    ("anthropic-organization-id", "cf-ray", "request-id", "x-claude-code-session-id", "x-request-id")
)

_HARMLESS_QUERY_VALUE = re.compile(r"true|false|\d{0,6}|")
_LONG_NUMBER = re.compile(rb"(?=[^/-]*\d)[0-9a-fA-F-]{16,}")
_SOCKET_ADDRESS = re.compile(r"\('[^']*', \d+\)|\b[\w.-]+:\d{2,5}\b")
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

    def __init__(self, hosts: Mapping[str, str] | None = None) -> None:
        """`hosts` names addresses: `HOST:PORT` as recorded → `HOST:PORT` as published."""
        self._numbering = Numbering()
        self._hosts = {_address(old): _address(new) for old, new in (hosts or {}).items()}
        self._count = 0

    def flow(self, flow: Flow) -> http.HTTPFlow:
        """A scrubbed copy. Raises ScrubError for what is no finished HTTP exchange or cannot be decoded."""
        if not isinstance(flow, http.HTTPFlow) or flow.websocket is not None:
            raise ScrubError(f"Flow {self._count + 1} is no HTTP exchange. Remove it from the recording.")
        copy = cast(http.HTTPFlow, http.HTTPFlow.from_state(flow.get_state()))
        began = copy.request.timestamp_start
        for message in (copy.request, copy.response):
            if message is not None and message.raw_content and "content-encoding" in message.headers:
                try:
                    message.decode()
                except ValueError as error:
                    raise ScrubError(f"A body of flow {self._count + 1} cannot be decoded: {error}.") from None
        state: dict[str, Any] = copy.get_state()
        start = EPOCH + 10 * self._count
        self._count += 1
        self._connections(state)
        self._message(state["request"], start - began, answer=False)
        self._request_line(state)
        if state["response"] is not None:
            self._message(state["response"], start - began, answer=True)
        self._notes(state)
        _set_times(state, start)
        return cast(http.HTTPFlow, http.HTTPFlow.from_state(state))

    # --- where ---

    def _place(self, address: Sequence[Any]) -> tuple[str, int]:
        host, port = str(address[0]), int(address[1])
        kept = {TURNOUT, NOWHERE, *self._hosts.values()}
        if (host, port) in self._hosts:
            return self._hosts[host, port]
        if (host, port) in kept or host.endswith(".invalid"):
            return host, port
        named = f"host-{len(self._hosts) + 1}.invalid", port if port < 1024 else 80
        self._hosts[host, port] = named
        return named

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
        path, mark, query = request["path"].partition(b"?")
        path = _LONG_NUMBER.sub(lambda found: self._numbering(found[0]), path)
        request["path"] = path + mark + b"&".join(_query_pair(pair) for pair in query.split(b"&"))

    # --- what ---

    def _message(self, message: dict[str, Any], shift: float, *, answer: bool) -> None:
        for part in ("headers", "trailers"):
            if message[part] is not None:
                message[part] = tuple((name, self._header(name, value, shift)) for name, value in message[part])
        if message["content"]:
            kind = next((value for name, value in message["headers"] if name.lower() == b"content-type"), b"")
            message["content"] = body_like(message["content"], kind.decode("latin-1"), self._numbering, answer=answer)

    def _header(self, name: bytes, value: bytes, shift: float) -> bytes:
        lower = name.decode("latin-1").lower()
        if lower in SECRET_HEADERS:
            return MASK.encode()
        if lower in IDENTIFYING_HEADERS:
            return self._numbering(value)
        if lower == "date":
            return formatdate(EPOCH, usegmt=True).encode()
        if lower.startswith("anthropic-ratelimit-") and lower.endswith("-reset"):
            return _moved(value.decode("latin-1"), shift).encode()
        if HARMLESS_HEADERS.fullmatch(lower):
            return masked(value)
        return value if lower == "host" else MASK.encode()

    def _notes(self, state: dict[str, Any]) -> None:
        state["id"] = self._number(str(state["id"]))
        state["backup"] = None
        state["comment"] = self._clean(state["comment"])
        metadata = state["metadata"]
        state["metadata"] = {
            name: self._number(value) if name == "turnout.exchange" else self._clean(value)
            for name, value in metadata.items()
            if name.startswith("turnout.")
        }
        if state["error"] is not None:
            state["error"]["msg"] = self._clean(state["error"]["msg"])

    def _number(self, identifier: str) -> str:
        return self._numbering(identifier.encode()).decode()

    def _clean(self, text: str | None) -> str | None:
        """A short technical text without addresses and anything personal."""
        return text and _SOCKET_ADDRESS.sub("(address)", masked(text.encode()).decode())


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise ScrubError(f"{text!r} is no HOST:PORT.")
    return host, int(port)


def _query_pair(pair: bytes) -> bytes:
    name, equals, value = pair.partition(b"=")
    return name + equals + (value if _HARMLESS_QUERY_VALUE.fullmatch(value.decode("latin-1")) else MASK.encode())


def _moved(moment: str, shift: float) -> str:
    """A point in time, as Unix seconds or ISO 8601, as far from the request as it was, to the minute."""
    if moment.isdecimal():
        return str(_minute(int(moment) + shift))
    try:
        then = datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return MASK
    return datetime.fromtimestamp(_minute(then + shift), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _minute(moment: float) -> int:
    return round(moment / 60) * 60


def _set_times(state: dict[str, Any], start: float) -> None:
    state["timestamp_created"] = start
    for part, steps in _STEPS.items():
        for name, tenths in steps.items():
            if state[part] is not None and state[part].get(name) is not None:
                state[part][name] = start + tenths / 10


def findings(data: bytes) -> list[str]:
    """What must not be in a published file: kind and position of each, never the text itself."""
    return [
        f"{kind} at byte {found.start()}" for kind, pattern in PERSONAL.items() for found in pattern.finditer(data)
    ]


def scrub(recording: bytes, hosts: Mapping[str, str] | None = None) -> bytes:
    """A flow file without secrets, people, machines and anybody's prose; `hosts` as for Scrubber.

    Raises ScrubError when something that must not be published would be left.
    """
    scrubber = Scrubber(hosts)
    out = BytesIO()
    writer = FlowWriter(out)
    try:
        for flow in FlowReader(BytesIO(recording)).stream():
            writer.add(scrubber.flow(flow))
    except FlowReadException as error:
        raise ScrubError(f"This is no complete flow file: {error}.") from None
    if left := findings(out.getvalue()):
        raise ScrubError(f"Left after scrubbing: {'; '.join(left)}. Nothing was written.")
    return out.getvalue()


def main(arguments: Iterable[str]) -> int:
    """The command; 0 done, 1 the recording cannot be published, 2 the arguments are wrong."""
    match list(arguments):
        case [source, target, *names] if all(name.count("=") == 1 for name in names):
            try:
                hosts = dict(name.split("=") for name in names)
                Path(target).write_bytes(scrub(Path(source).read_bytes(), hosts))
            except (ScrubError, OSError) as error:
                print(f"turnout: {error}", file=sys.stderr)
                return 1
            return 0
        case _:
            print(__doc__, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
