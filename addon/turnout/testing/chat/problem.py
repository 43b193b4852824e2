"""What is wrong with a Chat Completions request: where, and in OpenAI's words, which a vendor may put in its own.

Wordings and codes: the answers of api.openai.com as reports of its users quote them (2024 to 2026).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from turnout.testing.vendors.problem import Answer, Path

Phrase = Callable[["ChatProblem"], Answer]

Kind = Literal["unknown field", "unknown value", "value", "order", "key", "model", "path", "size", "own"]
"""`own`: said in the words of the vendor already."""


@dataclass
class ChatProblem(Exception):
    """One thing that a server refuses."""

    kind: Kind
    path: Path
    said: str
    code: str | None = None
    status: int = 400
    value: Any = None
    """The unknown field's name, or the value that is refused."""
    expected: tuple[str, ...] = ()
    role: str = ""
    """Of the message in which it is."""
    type: str = ""
    """Where it is not the usual one of the status."""

    @property
    def param(self) -> str | None:
        """`messages[2].content`; OpenAI writes `messages.[2].role` where messages stand in the wrong order."""
        if self.kind == "order":
            return f"messages.[{self.path[1]}].role"
        return indexed(self.path) or None


def indexed(path: Path) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def invalid(path: Path, wrong: str, code: str | None = "invalid_value", value: Any = None) -> ChatProblem:
    return ChatProblem("value", path, f"Invalid '{indexed(path)}': {wrong}", code, value=value)


def unknown_field(path: Path, expected: Iterable[str] = ()) -> ChatProblem:
    said = f"Unknown parameter: '{indexed(path)}'."
    return ChatProblem(
        "unknown field", path, said, "unknown_parameter", value=path[-1], expected=tuple(sorted(expected))
    )


def unsupported_field(name: str, instead: str) -> ChatProblem:
    said = f"Unsupported parameter: '{name}' is not supported with this model."
    said += f" Use '{instead}' instead." if instead else ""
    return ChatProblem("unknown field", (name,), said, "unsupported_parameter", value=name)


def only_default(name: str, value: Any, default: float) -> ChatProblem:
    said = (
        f"Unsupported value: '{name}' does not support {value} with this model. "
        f"Only the default ({default:g}) value is supported."
    )
    return ChatProblem("value", (name,), said, "unsupported_value", value=value)


def unsupported_value(path: Path, value: Any, allowed: Iterable[str]) -> ChatProblem:
    said = f"Unsupported value: '{indexed(path)}' does not support '{value}' with this model."
    said += f" Supported values are: {_choices(allowed)}."
    return ChatProblem("unknown value", path, said, "unsupported_value", value=value, expected=tuple(allowed))


def unknown_value(path: Path, value: Any, allowed: Iterable[str]) -> ChatProblem:
    said = f"Invalid value: '{value}'. Supported values are: {_choices(allowed)}."
    return ChatProblem("unknown value", path, said, "invalid_value", value=value, expected=tuple(allowed))


def missing(path: Path) -> ChatProblem:
    return ChatProblem("value", path, f"Missing required parameter: '{indexed(path)}'.", "missing_required_parameter")


def wrong_type(path: Path, expected: str, value: Any) -> ChatProblem:
    """`expected` with its article: "a string"."""
    said = f"Invalid type for '{indexed(path)}': expected {expected}, but got {_kind(value)} instead."
    return ChatProblem("value", path, said, "invalid_type", value=value)


def too_long(path: Path, what: Literal["string", "array"], most: int, length: int) -> ChatProblem:
    article = "an" if what == "array" else "a"
    wrong = f"{what} too long. Expected {article} {what} with maximum length {most}, but got {article} {what} with"
    return invalid(path, f"{wrong} length {length} instead.", f"{what}_above_max_length")


def empty_array(path: Path) -> ChatProblem:
    wrong = "empty array. Expected an array with minimum length 1, but got an empty array instead."
    return invalid(path, wrong, "empty_array")


def _choices(allowed: Iterable[str]) -> str:
    quoted = [f"'{name}'" for name in allowed]
    return ", and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def _kind(value: Any) -> str:
    names = {bool: "a boolean", int: "an integer", float: "a decimal", str: "a string", list: "an array"}
    return "null" if value is None else names.get(type(value), "an object")
