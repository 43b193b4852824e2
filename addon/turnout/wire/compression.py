"""Compressed bodies, opened without letting a small one become a huge one.

Requests come as a whole. Answers are opened bit by bit, each bit as soon as it can be: Turnout asks for no encoding,
but an edge server may compress all the same, and in forms that few libraries open by themselves: several gzip members
(RFC 1952, section 2.2) or zstd frames (RFC 8878, section 3.1) one after another, deflate without the header of zlib,
one encoding within another (RFC 9110, section 8.4).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from turnout.errors import InvalidRequest, RequestTooLarge

_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 47}
"""`wbits` of zlib: gzip, and zlib or gzip by their header."""


MOST_OPENED = 16 * 10**6
"""Bytes that one chunk off the wire, of 64 KB at most, may open into. Events shrink to a tenth when they are packed."""

MOST_ENCODINGS = 4
"""Encodings, one within another, that are opened. Two have been seen."""

_SLICE = 16
"""Bytes. Brotli before 1.2 and zstandard cannot be told to stop. A slice of this size holds no more than two
meta-blocks of brotli, and these no more than 16 MB each (RFC 7932, section 9.2); or five blocks of zstd, of 128 KB."""

_ZSTD_WINDOW = 23
"""The logarithm of the largest window that zstd may have in HTTP (RFC 9659): 8 MB."""


_GZIP, _FRAME, _SKIPPABLE = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x2a\x4d\x18"
"""How a member of gzip and a frame of zstd begin, and a frame that holds no data, after its first byte."""


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """The plain body. The same object when it is not compressed.

    Raises RequestTooLarge as soon as more than `limit` bytes come out, InvalidRequest for what cannot be opened.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in _WINDOW:
        raise InvalidRequest(f"content-encoding {name!r} is not understood; send gzip, deflate or no encoding.")
    machine = zlib.decompressobj(_WINDOW[name])
    try:
        plain = machine.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidRequest(f"The request body is not valid {name}: {error}.") from None
    if len(plain) > limit:
        raise RequestTooLarge(f"Request exceeds the maximum size of {limit} bytes (access.max_body) when unpacked.")
    if not machine.eof:
        raise InvalidRequest(f"The request body ends in the middle of its {name} data.")
    return plain


NO_CODINGS = frozenset(("", "identity", "none", "binary", "utf-8", "utf8", "ascii", "us-ascii", "iso-8859-1", "latin1"))
"""What a content-encoding may say of data that nothing has packed. Character sets are none, but servers write them
there."""


class Unreadable(Exception):
    """What has come cannot be opened, or opens into more than may come out."""


class TooMuch(Unreadable):
    """It opens into more than may come out."""


class Unpacker(Protocol):
    """Opens one body."""

    def __call__(self, data: bytes, most: int = MOST_OPENED) -> bytes:
        """What comes out of the next bytes. Raises Unreadable."""

    @property
    def complete(self) -> bool:
        """Everything that began has come to its end."""


def unpacker(encoding: str) -> Unpacker | None:
    """What opens a content-encoding; None for one that nothing here opens."""
    names = [name for part in encoding.split(",") if (name := part.strip().lower()) not in NO_CODINGS]
    if len(names) > MOST_ENCODINGS or any(name not in _MACHINES for name in names):
        return None
    machines = [_MACHINES[name]() for name in reversed(names)]  # named in the order in which they were applied
    return machines[0] if len(machines) == 1 else _Nested(machines)


def unpacked(body: bytes, encoding: str, most: int) -> bytes:
    """A whole body, plain. Raises TooMuch when more than `most` bytes come out, Unreadable for what is not whole."""
    machine = unpacker(encoding)
    if machine is None:
        raise Unreadable(f"the encoding {encoding!r} is not known")
    plain = machine(body, most)
    if body and not machine.complete:
        raise Unreadable("it ends too early")
    return plain


class _Nested:
    """Encodings within each other, the outermost first. None: the bytes as they are."""

    def __init__(self, machines: list[Unpacker]) -> None:
        self._machines = machines

    def __call__(self, data: bytes, most: int = MOST_OPENED) -> bytes:
        for machine in self._machines:
            data = machine(data, most)
        if len(data) > most:
            raise TooMuch
        return data

    @property
    def complete(self) -> bool:
        return all(machine.complete for machine in self._machines)


class _Parts:
    """Parts of one kind, one after another. What follows the last of them is left aside, as browsers do."""

    def __init__(self) -> None:
        self._machine: Any = None
        self._begun = self._over = False
        self._rest = b""

    def __call__(self, data: bytes, most: int = MOST_OPENED) -> bytes:
        found: list[bytes] = []
        data, self._rest = self._rest + data, b""
        try:
            while data and not self._over:
                if self._machine is None:
                    self._machine = self._begin(data)
                    if self._machine is None:
                        break
                    self._begun = True
                plain, data = self._open(data, most)
                most -= len(plain)
                found.append(plain)
        except Unreadable:
            raise
        except Exception as error:  # each library has errors of its own
            raise Unreadable(str(error)) from None
        return found[0] if len(found) == 1 else b"".join(found)

    @property
    def complete(self) -> bool:
        return self._begun and self._machine is None

    def _begin(self, data: bytes) -> Any:
        """The machine for the part that begins here; None when there is none, or too little has come to tell."""
        raise NotImplementedError

    def _open(self, data: bytes, most: int) -> tuple[bytes, bytes]:
        """What comes out, and what follows the end of the part. Ends `_machine` with it."""
        raise NotImplementedError


class _Zlib(_Parts):
    """gzip, and deflate with or without the header of zlib."""

    def __init__(self, *, bare: bool) -> None:
        super().__init__()
        self._bare = bare

    def _begin(self, data: bytes) -> Any:
        if len(data) < 2:
            self._rest = data
            return None
        if self._begun:  # only gzip has a second member
            self._over = data[:2] != _GZIP
            return None if self._over else zlib.decompressobj(31)
        has_header = data[:2] == _GZIP or (data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0)
        return zlib.decompressobj(47 if has_header or not self._bare else -15)

    def _open(self, data: bytes, most: int) -> tuple[bytes, bytes]:
        machine = self._machine
        plain: bytes = machine.decompress(data, most + 1)
        if len(plain) > most:
            raise TooMuch
        if machine.eof:
            self._machine = None
        return plain, machine.unused_data


class _Brotli(_Parts):
    """One stream: brotli has no others behind it."""

    def _begin(self, data: bytes) -> Any:
        self._over = self._begun
        return None if self._over else import_module("brotli").Decompressor()

    def _open(self, data: bytes, most: int) -> tuple[bytes, bytes]:
        machine = self._machine
        if hasattr(machine, "can_accept_more_data"):
            plain: bytes = machine.process(data, output_buffer_limit=most + 1)
            if not machine.can_accept_more_data() and not machine.is_finished():
                raise TooMuch
        else:
            plain, _ = _sliced(data, most, machine.process, machine.is_finished)
        if len(plain) > most:
            raise TooMuch
        if machine.is_finished():
            self._machine, self._over = None, True
        return plain, b""


class _Zstd(_Parts):
    """Frames of zstd. The library is the one that mitmproxy brings: 12 the standard library's, 11 zstandard."""

    def _begin(self, data: bytes) -> Any:
        if self._begun:  # a second frame
            if len(data) < len(_FRAME):
                self._rest = data
                return None
            if data[:4] != _FRAME and not (data[0] & 0xF0 == 0x50 and data[1:4] == _SKIPPABLE):
                self._over = True
                return None
        for name in ("compression.zstd", "backports.zstd"):
            if _is_there(name):
                library = import_module(name)
                return library.ZstdDecompressor(options={library.DecompressionParameter.window_log_max: _ZSTD_WINDOW})
        return import_module("zstandard").ZstdDecompressor(max_window_size=1 << _ZSTD_WINDOW).decompressobj()

    def _open(self, data: bytes, most: int) -> tuple[bytes, bytes]:
        machine = self._machine
        if hasattr(machine, "needs_input"):
            plain: bytes = machine.decompress(data, most + 1)
            if not machine.needs_input and not machine.eof:
                raise TooMuch
            rest = machine.unused_data if machine.eof else b""
        else:
            plain, rest = _sliced(data, most, machine.decompress, lambda: machine.eof)
            rest = machine.unused_data + rest
        if len(plain) > most:
            raise TooMuch
        if machine.eof:
            self._machine = None
        return plain, rest


def _sliced(
    data: bytes, most: int, process: Callable[[bytes], bytes], is_finished: Callable[[], bool]
) -> tuple[bytes, bytes]:
    """What comes out slice by slice, and the slices behind the one in which the end was."""
    found: list[bytes] = []
    size = 0
    for start in range(0, len(data), _SLICE):
        if is_finished():
            return b"".join(found), data[start:]
        found.append(process(data[start : start + _SLICE]))
        size += len(found[-1])
        if size > most:
            raise TooMuch
    return b"".join(found), b""


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


_MACHINES: dict[str, Callable[[], Unpacker]] = {
    "gzip": lambda: _Zlib(bare=False),
    "x-gzip": lambda: _Zlib(bare=False),
    "deflate": lambda: _Zlib(bare=True),
    "deflateraw": lambda: _Zlib(bare=True),
    "br": _Brotli,
    "zstd": _Zstd,
}
