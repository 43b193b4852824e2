"""What one envelope of an error says, and the innermost of those that gateways have put into each other."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from turnout.dialects.error_body.body import ErrorBody
from turnout.dialects.error_body.keys import WORDS
from turnout.dialects.error_body.wrapped import Embedded, wrapped
from turnout.errors import STATUS_OF_CODE

MOST_LAYERS = 4
"""Gateways behind gateways: that many of their envelopes are opened."""

ERROR_KEYS = frozenset(("error", "base_resp", "type", "code", *WORDS))
"""The keys by which an error is told from a success."""

# Z.AI answers unknown paths with {"code":500,"msg":"404 NOT_FOUND"} in a 200: the message is right, not the code.
_SAYS_404 = re.compile(r"\b404\b")


def is_error(envelope: Mapping[str, Any], names: Collection[str]) -> bool:
    """Whether this is an error whatever status it came with. `envelope` has the values of `ERROR_KEYS`, `names` is all
    of its keys."""
    error = envelope.get("error")
    return (
        (bool(error) and isinstance(error, dict | str))
        or _base_code(envelope) != ""
        or _is_coded(envelope, names)
        or envelope.get("type") == "error"
    )


def opened(envelope: Mapping[str, Any], embedded: Embedded, layer: int = 1) -> ErrorBody:
    """The innermost error, with what the envelopes around it say beside."""
    told = _read(envelope)
    found = wrapped(envelope, embedded) if layer <= MOST_LAYERS else None
    if found is None:
        return told
    if isinstance(found, str):
        return replace(told, message=found, inner=True)
    inner = opened(found if isinstance(found.get("error"), dict | str) else {"error": found}, embedded, layer + 1)
    return ErrorBody(
        type=inner.type or told.type,
        codes=(*inner.codes, *told.codes),
        message=inner.message or told.message,
        label=inner.label,
        status=inner.status or told.status,
        inner=True,
        inner_status=inner.inner_status or inner.status,
    )


def _read(envelope: Mapping[str, Any]) -> ErrorBody:
    error, base = envelope.get("error"), envelope.get("base_resp")
    detail = error if isinstance(error, dict) else {}
    deep = detail.get("details")
    error_code = _code(deep.get("error_code")) if isinstance(deep, dict) else ""
    own_code, base_code, top_code = _code(detail.get("code")), _base_code(envelope), _code(envelope.get("code"))
    codes = tuple(code for code in (error_code, own_code, base_code, top_code) if code)
    base_message = base.get("status_msg") if isinstance(base, dict) else None
    top_message = _first_text(envelope, WORDS)
    type = _text(detail.get("type"))
    is_404 = _is_coded(envelope, envelope) and _SAYS_404.search(top_message)
    return ErrorBody(
        type=type,
        codes=codes,
        message=_first_text(detail, WORDS) or _text(error) or _text(base_message) or top_message,
        label=_label(type, base_code, own_code, top_code),
        status=404 if is_404 else _status(type, codes),
    )


def _base_code(envelope: Mapping[str, Any]) -> str:
    """MiniMax's code of an error."""
    base = envelope.get("base_resp")
    code = _code(base.get("status_code")) if isinstance(base, dict) else ""
    return "" if code == "0" else code


def _is_coded(envelope: Mapping[str, Any], names: Collection[str]) -> bool:
    """The error is the envelope itself: a code and a message on top."""
    is_code = _code(envelope.get("code")) not in ("", "0", "200")
    return is_code and _first_text(envelope, WORDS) != "" and "type" not in names and "choices" not in names


def _label(type: str, base_code: str, own_code: str, top_code: str) -> str:
    if base_code:
        return f"base_resp {base_code}"
    if type:
        return type
    return f"error {own_code}" if own_code else f"code {top_code}" if top_code else "error"


def _status(type: str, codes: Iterable[str]) -> int | None:
    """The HTTP status an error stands for: a code that is one (OpenRouter), else what its type means."""
    for code in codes:
        if len(code) == 3 and code.isdecimal() and 400 <= int(code) <= 599:
            return int(code)
    return next((STATUS_OF_CODE[word] for word in (type, *codes) if word in STATUS_OF_CODE), None)


def _code(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(value)


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _first_text(values: Mapping[str, Any], names: Iterable[str]) -> str:
    return next((text for name in names if (text := _text(values.get(name)))), "")
