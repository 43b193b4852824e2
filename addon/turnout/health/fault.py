"""Reading an error out of a response body, whatever the provider's shape for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from turnout.errors import STATUS_OF_CODE
from turnout.health.wrapped import KEYS, wrapped
from turnout.wire.splice import UNREADABLE

MOST_LAYERS = 4
"""Gateways behind gateways: that many of their envelopes are opened."""

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])

# Z.AI answers unknown paths with {"code":500,"msg":"404 NOT_FOUND"} in a 200: the message is right, not the code.
_SAYS_404 = re.compile(r"\b404\b")


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as the body tells it. Every text may be empty."""

    type: str = ""
    """`error.type`."""
    codes: tuple[str, ...] = ()
    """The provider's own codes, the most specific first."""
    message: str = ""
    label: str = ""
    """What the error is called in one or two words: `overloaded_error`, `base_resp 1002`, `code 500`."""
    status: int | None = None
    """The HTTP status that the error stands for, when it rides on a 2xx answer."""
    inner: bool = False
    """A gateway has put the error of another into its own: this is what that one says."""
    inner_status: int | None = None
    """The HTTP status that the inner error stands for; it says more than the gateway's."""

    @property
    def words(self) -> str:
        """Everything the body says, for a search by wording."""
        return " ".join((self.type, *self.codes, self.message))


def read_fault(body: bytes, *, failed: bool) -> Fault | None:
    """The error that a body holds, or None when it holds none.

    `failed` says that the status was an error already: the body is then read generously. In a 2xx answer only shapes
    that no success has count as an error. Of a gateway that passes on an error inside its own, the inner one is read.
    """
    fields = _top_level(body)
    fault = _read(lambda name: _value(fields, name), fields.keys(), failed) if fields else None
    return None if fault is None else _opened(fault, {name: _value(fields, name) for name in KEYS if name in fields}, 1)


def _opened(fault: Fault, envelope: Mapping[str, Any], layer: int) -> Fault:
    """The innermost error, with what the envelopes around it say beside."""
    found = wrapped(envelope) if layer <= MOST_LAYERS else None
    if found is None:
        return fault
    if isinstance(found, str):
        return replace(fault, message=found, inner=True)
    inner = found if isinstance(found.get("error"), dict | str) else {"error": found}
    told = _opened(_read(inner.get, inner.keys(), failed=True) or Fault(), inner, layer + 1)
    return Fault(
        type=told.type or fault.type,
        codes=(*told.codes, *fault.codes),
        message=told.message or fault.message,
        label=told.label,
        status=told.status or fault.status,
        inner=True,
        inner_status=told.inner_status or told.status,
    )


def _read(value: Callable[[str], Any], names: Set[str], failed: bool) -> Fault | None:
    error = value("error")
    base = value("base_resp")
    detail = error if isinstance(error, dict) else {}
    base_code = _code(base.get("status_code")) if isinstance(base, dict) else ""
    base_code = "" if base_code == "0" else base_code
    top_code = _code(value("code"))
    top_message = _first_text(value(name) for name in ("msg", "message", "Message", "detail"))

    envelope = top_code not in ("", "0", "200") and top_message != "" and not {"type", "choices"} & names
    is_error_object = bool(error) and isinstance(error, dict | str)
    if not (failed or is_error_object or base_code or envelope or value("type") == "error"):
        return None

    deep = detail.get("details")
    error_code = _code(deep.get("error_code")) if isinstance(deep, dict) else ""
    codes = tuple(code for code in (error_code, _code(detail.get("code")), base_code, top_code) if code)
    base_message = base.get("status_msg") if isinstance(base, dict) else None
    own = (detail.get(name) for name in ("message", "msg", "detail"))
    message = _first_text((*own, error, base_message, top_message))
    type = _text(detail.get("type"))
    return Fault(
        type=type,
        codes=codes,
        message=message,
        label=_label(type, base_code, detail, top_code),
        status=404 if envelope and _SAYS_404.search(top_message) else _status(type, codes),
    )


def _label(type: str, base_code: str, detail: dict[Any, Any], top_code: str) -> str:
    if base_code:
        return f"base_resp {base_code}"
    code = _code(detail.get("code"))
    if type:
        return type
    return f"error {code}" if code else f"code {top_code}" if top_code else "error"


def _status(type: str, codes: tuple[str, ...]) -> int | None:
    """The HTTP status an error stands for: a code that is one (OpenRouter), else what its type means."""
    for code in codes:
        if len(code) == 3 and code.isdecimal() and 400 <= int(code) <= 599:
            return int(code)
    return next((STATUS_OF_CODE[word] for word in (type, *codes) if word in STATUS_OF_CODE), None)


def _top_level(body: bytes) -> dict[str, msgspec.Raw]:
    """The top-level fields, undecoded. Gemini's OpenAI layer wraps its error object in a list."""
    start = body[:64].lstrip()
    try:
        if start.startswith(b"["):
            items = _LIST.decode(body)
            return _FIELDS.decode(items[0]) if items else {}
        return _FIELDS.decode(body) if start.startswith(b"{") else {}
    except UNREADABLE:
        return {}


def _value(fields: dict[str, msgspec.Raw], name: str) -> Any:
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw)
    except UNREADABLE:
        return None


def _code(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(value)


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _first_text(values: Any) -> str:
    return next((text for value in values if (text := _text(value))), "")
