"""What is wrong with a configuration, in the words of the config file. Never shows a secret."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from turnout.errors import ConfigError
from turnout.settings.model import (
    Access,
    Condition,
    CustomModel,
    Listen,
    Provider,
    Retry,
    Route,
    Settings,
    Store,
    Timeouts,
)
from turnout.settings.rewriting import Rewrite
from turnout.settings.secret import redact

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MISTAKES_TOLD = 5
"""How many problems one error names."""

_MODELS: dict[str, type[BaseModel]] = {
    "settings": Settings,
    "listen": Listen,
    "access": Access,
    "providers": Provider,
    "routes": Route,
    "when": Condition,
    "models": CustomModel,
    "retry": Retry,
    "timeouts": Timeouts,
    "store": Store,
    "rewrite": Rewrite,
}

_REASONS = {
    "missing": "a value is missing",
    "tuple_type": "a list is expected",
    "too_short": "at least one value is expected",
    "dict_type": "a table is expected",
    "model_type": "a table is expected",
    "string_type": "is not a text in quotes",
    "int_type": "is not a whole number",
    "int_parsing": "is not a whole number",
    "int_parsing_size": "is beyond all bounds",
    "int_from_float": "is not a whole number",
    "float_type": "is not a number",
    "float_parsing": "is not a number",
    "finite_number": "is not a number",
    "bool_type": "is neither true nor false",
    "bool_parsing": "is neither true nor false",
    "literal_error": "is not supported; known: {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}
"""By pydantic's type of the error: its own words speak of Python's types."""


def explained(error: ValidationError, file: Path | None, overlay: Mapping[str, Any]) -> ConfigError:
    """The problems of a ValidationError: the first in the fields of the ConfigError, others in its suggestion.

    `overlay` is what came from TURNOUT_… variables; a mistake in one of those is told with its name and no file.
    """
    first, *others = error.errors(include_url=False, include_input=False)[:MISTAKES_TOLD]
    path = _path(first)
    variable = _variable(overlay, path)
    also = "; ".join(f"{_key(other, overlay)}: {_sentence(other)}" for other in others)
    suggestion = ". ".join(part.removesuffix(".") for part in (_suggestion(first), also and f"Also: {also}") if part)
    return ConfigError(
        _reason(first),
        file=None if variable else file,
        key=variable or redact(".".join(path)),
        suggestion=suggestion.replace("?. ", "? "),
    )


def nearest(key: str, model: type[BaseModel]) -> str:
    """A suggestion for a key that a table of the configuration does not have."""
    hidden = {"name", "file", "environment"}
    known = [field.alias or name for name, field in model.model_fields.items() if name not in hidden]
    close = difflib.get_close_matches(key, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known keys: {', '.join(known)}"


def _path(problem: ErrorDetails) -> list[str]:
    return [str(part) for part in problem["loc"]]


def _key(problem: ErrorDetails, overlay: Mapping[str, Any]) -> str:
    path = _path(problem)
    return _variable(overlay, path) or redact(".".join(path))


def _sentence(problem: ErrorDetails) -> str:
    suggestion = _suggestion(problem)
    return f"{_reason(problem)} ({suggestion})" if suggestion else _reason(problem)


def _reason(problem: ErrorDetails) -> str:
    if problem["type"] == "extra_forbidden":
        return "unknown key"
    reason = _REASONS.get(problem["type"])
    if reason is None:
        reason = redact(problem["msg"].removeprefix("Value error, "))
        return reason[:1].lower() + reason[1:]
    return reason.format(**{name: _plain(value) for name, value in problem.get("ctx", {}).items()})


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).replace("'", "")


def _suggestion(problem: ErrorDetails) -> str:
    path = _path(problem)
    if problem["type"] == "extra_forbidden":
        return nearest(path[-1], _MODELS[_table(path)])
    if problem["type"] == "missing" and path[0] == "providers":
        return "A provider that is not a preset needs it"
    if path == ["routes"]:
        return "Write every route as [[routes]]"
    return ""


def _table(path: Sequence[str]) -> str:
    """Which kind of table the last key of the path stands in."""
    if len(path) == 1:
        return "settings"
    inner = "when" if path[0] == "routes" else "rewrite"
    return inner if inner in path[:-1] else path[0]


def _variable(overlay: Mapping[str, Any], path: Iterable[str]) -> str:
    """The TURNOUT_… variable that gave the value at this path; empty when none did."""
    names: list[str] = []
    value: Any = overlay
    for part in path:
        if not isinstance(value, Mapping):
            break
        if part not in value:
            return ""
        names.append(part)
        value = value[part]
    return f"TURNOUT_{'__'.join(names)}".upper()
