"""Durations and sizes as people write them: `500ms`, `5m`, `32MB`."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_NUMBER_AND_UNIT = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([A-Za-z]*)\s*")


def parse_duration(value: Any) -> Any:
    """Seconds from `"500ms"`, `"5m"`, `"1.5h"` or a number of seconds; ValueError names the accepted forms."""
    if not isinstance(value, str):
        return value
    match = _NUMBER_AND_UNIT.fullmatch(value)
    if match is None or match[2].lower() not in _SECONDS:
        raise ValueError(f"{value!r} is not a duration; write for example 500ms, 10s, 5m or 1h")
    return float(match[1]) * _SECONDS[match[2].lower()]


def parse_size(value: Any) -> Any:
    """Bytes from `"32MB"`, `"512KiB"` or a number of bytes; ValueError names the accepted forms."""
    if not isinstance(value, str):
        return value
    match = _NUMBER_AND_UNIT.fullmatch(value)
    if match is None or match[2].upper() not in _BYTES:
        raise ValueError(f"{value!r} is not a size; write for example 512KB or 32MB")
    size = float(match[1]) * _BYTES[match[2].upper()]
    if math.isinf(size):
        raise ValueError("that size is beyond all bounds; write for example 512KB or 32MB")
    return int(size)


Duration = Annotated[float, BeforeValidator(parse_duration), Field(gt=0, allow_inf_nan=False)]
"""A length of time in seconds, more than 0."""

Wait = Annotated[float, BeforeValidator(parse_duration), Field(ge=0, allow_inf_nan=False)]
"""A length of time in seconds, 0 allowed."""

Size = Annotated[int, BeforeValidator(parse_size), Field(gt=0)]
"""A number of bytes, more than 0."""
