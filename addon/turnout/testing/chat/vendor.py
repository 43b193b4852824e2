"""What one vendor's Chat Completions server takes, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from turnout.testing.chat.fields import CLASSIC, MESSAGE_FIELDS, WITH_IMAGES
from turnout.testing.chat.phrases import openai
from turnout.testing.chat.problem import Phrase, unknown_field
from turnout.testing.chat.style import Style
from turnout.testing.vendors.problem import Path

Choice = Literal["none", "auto", "required", "any", "function"]
"""Of `tool_choice`; `function` is the object that names one."""


Absence = Literal["null", "empty", "absent"]
EVERY_ABSENCE: tuple[Absence, ...] = ("null", "empty", "absent")


@dataclass(frozen=True)
class ChatVendor:
    """The default is an unknown strict server: it takes the classic API and nothing that it has not heard of."""

    name: str
    say: Phrase = openai
    style: Style = Style()
    path: str = "/v1"
    """Where the endpoints live, in front of `/chat/completions`."""
    keyless: bool = False
    """It asks for no key."""
    fields: frozenset[str] | None = CLASSIC
    """None: what it does not know it ignores."""
    unsupported: Mapping[str, str] = field(default_factory=dict)
    """Fields that it knows and its model refuses, each with the one to use instead, or ""."""
    defaults: Mapping[str, float] = field(default_factory=dict)
    """Numbers that may be the default only."""
    roles: tuple[str, ...] = ("system", "user", "assistant", "tool")
    message_fields: Mapping[str, frozenset[str]] | None = field(default_factory=lambda: MESSAGE_FIELDS)
    """By role. None: unknown fields of messages, and of whatever else is inside the body, are ignored."""
    call_fields: frozenset[str] = frozenset(("id", "type", "function"))
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: WITH_IMAGES)
    """The types of parts by role."""
    marked_parts: bool = False
    """Parts and tools may carry `cache_control`."""
    text_arrays: bool = False
    """Text without anything else may come as an array of parts."""
    image_addresses: bool = False
    """Images may be addresses; else data alone."""
    no_content: tuple[Absence, ...] = ("null",)
    """What may stand for the text of an answer that only calls tools."""
    empty_results: bool = False
    """A tool may have said nothing."""
    needs_user: bool = False
    """There is no conversation without a message of the user."""
    follows: Mapping[str, tuple[str, ...]] | None = None
    """The roles that may come after one, where a server minds."""
    function_fields: frozenset[str] = frozenset(("name", "description", "parameters"))
    names: str = r"[a-zA-Z0-9_-]{1,64}"
    """Of functions."""
    call_ids: str = r".+"
    longest_id: int | None = None
    most_tools: int | None = None
    schemas: Literal["objects", "openai", "gemini"] = "objects"
    """What it asks of parameters: that they are an object, OpenAI's rules, or the subset that Gemini reads."""
    choices: tuple[Choice, ...] = ("none", "auto", "required", "function")
    choices_while_thinking: tuple[Choice, ...] | None = None
    """None: the same."""
    efforts: tuple[str, ...] = ()
    """Of `reasoning_effort`. Empty: it does not know the field."""
    tools_without_effort: bool = False
    """Functions are taken with the effort `none` alone, which has to be said."""
    thinking: tuple[str, ...] = ()
    """Of `thinking.type`. Empty: it does not know the field."""
    thinking_fields: frozenset[str] = frozenset(("type",))
    thinks: bool = False
    """It thinks unless thinking is disabled."""
    thinks_in_streams: bool = False
    """It gives no whole answer that it would think about (Alibaba)."""
    thinks_or_tries: bool = False
    """`thinking` and `reasoning_effort` are not taken together."""
    gives_back: Literal["", "turn", "calls", "reasoning_details", "thought_signature"] = ""
    """What must come back with answers: `reasoning_content` on each of a turn with calls (`turn`) or on those that call
    (`calls`), the details it gave with calls, or the signatures of the turn under way."""
    most_stops: int = 4
    temperatures: tuple[float, float] = (0, 2)
    most_choices: int = 128
    """The largest `n`."""
    window: int | None = None
    """The most tokens a conversation may have, four bytes each. None: not looked at."""
    per_minute: int | None = None
    """The most tokens of a request and its answer (Groq)."""
    models: tuple[tuple[str, dict[str, Any]], ...] = ()
    """By glob on the model: what is different there."""

    def for_model(self, model: str) -> ChatVendor:
        result = self
        for glob, changes in self.models:
            if fnmatchcase(model, glob):
                result = replace(result, **changes)
        return result

    def is_thinking(self, body: dict[str, Any]) -> bool:
        """Whether it thinks about this request."""
        told = body.get("thinking") or {}
        return self.thinks and told.get("type") != "disabled" and body.get("enable_thinking") is not False

    def refuse_unknown(self, given: dict[str, Any], known: Iterable[str], path: Path) -> None:
        """Raises ChatProblem for the first name in an object that is not known, where the vendor minds."""
        names = frozenset(known)
        for name in given if self.message_fields is not None else ():
            if name not in names:
                raise unknown_field((*path, name), names)

    @property
    def known_fields(self) -> frozenset[str] | None:
        """At the top."""
        if self.fields is None:
            return None
        found = self.fields | ({"reasoning_effort"} if self.efforts else set())
        return found | ({"thinking"} if self.thinking else set())
