"""What is wrong with a configuration, in the words of the config file. Never shows a secret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from turnout.errors import ConfigError
from turnout.redaction.text import redact
from turnout.settings.chat import ChatForm
from turnout.settings.model import (
    HIDDEN,
    Access,
    Condition,
    CustomModel,
    Limits,
    Listen,
    Provider,
    Retry,
    Route,
    Settings,
    Store,
    Timeouts,
    Tls,
)
from turnout.settings.rewriting import Rewrite

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Presets = Mapping[str, Mapping[str, Any]]
"""The tables of the providers that need none, by name."""

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
    "limits": Limits,
    "store": Store,
    "rewrite": Rewrite,
    "chat": ChatForm,
    "tls": Tls,
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

_WORD = re.compile("[A-Za-z][A-Za-z0-9 _-]{0,23}")
"""What is told of what was written: the values that are known are as short."""
_OF_KEYS = "auth"
"""Where somebody may put the key itself. Elsewhere, too, what has digits is told only if it is near a known value."""

_OF_A_KEY = "[key]"
"""What pydantic adds to the path when not the value is wrong but the key it stands under."""


def explained(
    error: ValidationError, file: Path | None, overlay: Mapping[str, Any], presets: Presets
) -> ConfigError:
    """The problems of a ValidationError: the first in the fields of the ConfigError, others in its suggestion.

    `overlay` is what came from TURNOUT_… variables.
    """
    found = error.errors(include_url=False)
    # A default that is made of other fields is none when one of those is wrong: nobody has written it.
    problems = [each for each in found if each["type"] != "default_factory_not_called"][:MISTAKES_TOLD]
    _, *others = dict.fromkeys(f"{_key(each, overlay)}: {_sentence(each, presets)}" for each in problems)
    also = others and f"Also: {'; '.join(others)}"
    first = problems[0]
    suggestion = ". ".join(part.removesuffix(".") for part in (_suggestion(first, presets), also) if part)
    return mistake(_path(first), _reason(first), file, overlay, suggestion.replace("?. ", "? "))


def mistake(
    path: Sequence[str], reason: str, file: Path | None, overlay: Mapping[str, Any], suggestion: str
) -> ConfigError:
    """What is wrong with the value at this path: told with the TURNOUT_… variable it came from, or with the file."""
    variable = _variable(overlay, path)
    key = variable or redact(".".join(path))
    return ConfigError(reason, file=None if variable else file, key=key, suggestion=suggestion)


def nearest(key: str, model: type[BaseModel]) -> str:
    """A suggestion for a key that a table of the configuration does not have."""
    known = [field.alias or name for name, field in model.model_fields.items() if name not in HIDDEN]
    elsewhere = ELSEWHERE.get(key.lower().replace("-", "_"), "")
    if elsewhere in known:
        return f"Did you mean {elsewhere}?"
    return similar(key, known) or f"Known keys: {', '.join(known)}"


ELSEWHERE = {
    **dict.fromkeys(("api_key", "apikey", "key", "token", "auth_token", "credential"), "credentials"),
    **dict.fromkeys(("url", "api_base", "baseurl", "endpoint"), "base_url"),
    **dict.fromkeys(("type", "dialect", "protocol", "format", "api"), "kind"),
}
"""Keys that others give what has another name here."""

CLOSE = 0.65
"""How alike two names have to be: mine is no gemini."""


def similar(name: str, known: Iterable[str]) -> str:
    """The question whether one of the known names was meant; empty when none is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=CLOSE)
    return f"Did you mean {close[0]}?" if close else ""


def _path(problem: ErrorDetails) -> list[str]:
    path = list(problem["loc"])
    # A list of rules holds those of profile and preset, too: the number of one is not that in the file.
    in_rules = "rewrite" in path[:-2] and path[-2] in Rewrite.model_fields and isinstance(path[-1], int)
    return [str(part) for part in (path[:-1] if in_rules or _is_of_a_key(problem) else path)]


def _is_of_a_key(problem: ErrorDetails) -> bool:
    return problem["loc"][-1:] == (_OF_A_KEY,) and problem["type"] != "extra_forbidden"


def _key(problem: ErrorDetails, overlay: Mapping[str, Any]) -> str:
    path = _path(problem)
    return _variable(overlay, path) or redact(".".join(path))


def _sentence(problem: ErrorDetails, presets: Presets) -> str:
    suggestion = _suggestion(problem, presets)
    return f"{_reason(problem)} ({suggestion})" if suggestion else _reason(problem)


def _reason(problem: ErrorDetails) -> str:
    if problem["type"] == "extra_forbidden" or _known_keys(problem):
        return "unknown key"
    reason = _REASONS.get(problem["type"])
    if reason is None:
        reason = redact(problem["msg"].removeprefix("Value error, "))
        return reason[:1].lower() + reason[1:]
    told = reason.format(**{name: _plain(value) for name, value in problem.get("ctx", {}).items()})
    return f"{_written(problem)} {told}".lstrip() if problem["type"] == "literal_error" else told


def _written(problem: ErrorDetails) -> str:
    """The word that was written where only some are known; empty for what may be a key, put down at a wrong place."""
    value = problem["input"]
    if not isinstance(value, str) or not _WORD.fullmatch(value) or redact(value) != value:
        return ""
    harmless = _path(problem)[-1] != _OF_KEYS and not re.search("[0-9]", value)
    return f'"{value}"' if harmless or _near(problem) else ""


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).replace("'", "")


def _known_keys(problem: ErrorDetails) -> list[str]:
    """The keys of a table that takes only some, when the problem is another one; otherwise none."""
    return _known_words(problem) if _is_of_a_key(problem) else []


def _known_words(problem: ErrorDetails) -> list[str]:
    """The values of which one is expected; none when the problem is another one."""
    return re.findall("'([^']*)'", problem["ctx"]["expected"]) if problem["type"] == "literal_error" else []


def _suggestion(problem: ErrorDetails, presets: Presets) -> str:
    path = _path(problem)
    if problem["type"] == "extra_forbidden":
        return nearest(path[-1], _MODELS[_table(path)])
    if known := _known_keys(problem):
        return similar(path[-1], known) or f"Known keys: {', '.join(known)}"
    if problem["type"] == "missing" and path[0] == "providers":
        if path[1] in presets:
            kind = presets[path[1]].get("kind", "anthropic")
            return f'The preset {path[1]} has kind "{kind}" alone: leave out kind, or give a base_url of the other kind'
        return f"{similar(path[1], presets)} A provider that is not a preset needs it".lstrip()
    if problem["type"] == "literal_error":
        return _near(problem)
    if path == ["routes"]:
        return "Write every route as [[routes]]"
    return ""


def _near(problem: ErrorDetails) -> str:
    return similar(str(problem["input"]).lower(), _known_words(problem))


def _table(path: Sequence[str]) -> str:
    """Which kind of table the last key of the path stands in."""
    if len(path) == 1:
        return "settings"
    if path[-2] == "chat" and path[-3] != "models" and "rewrite" in path:  # a glob may be called chat
        return "chat"
    inner = ("when",) if path[0] == "routes" else ("rewrite", "timeouts", "tls")
    return next((name for name in inner if name in path[2:-1]), path[0])


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
