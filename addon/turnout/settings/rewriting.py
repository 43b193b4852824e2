"""The rules by which requests are changed on the way to a provider: what a `rewrite` table may say.

The rules themselves are data: `rewrites.toml` holds the profiles and the pairs of betas and fields, `presets.toml`
what single vendors need, mitm.conf what the user adds.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from turnout.settings.chat import ChatForm
from turnout.settings.table import as_list

ThinkingType = Literal["adaptive", "enabled", "disabled", "between_tools"]
EACH = "*"
"""The step of a path that stands for every element of a list."""

MARKED = ("system[*]", "tools[*]", "messages[*].content[*]", "messages[*].content[*].content[*]")
"""Where blocks with a `cache_control` marker stand; a request may have one at its top level, too."""

_PATH = re.compile(r"[^.\[\]\s]+(?:\[\*\])*(?:\.[^.\[\]\s]+(?:\[\*\])*)*")
_STEP = re.compile(r"[^.\[\]]+|\[\*\]")
_INDISPENSABLE = frozenset({"model", "messages", "messages[*]"})


@lru_cache(maxsize=1024)
def parse_path(text: str) -> tuple[str, ...]:
    """`messages[*].content` as ("messages", EACH, "content"). A key named `*` cannot be written.

    Raises ValueError for anything that is not keys with dots between them and `[*]` behind those that hold lists.
    """
    if not _PATH.fullmatch(text):
        raise ValueError(f"{text!r} is not a path; write for example metadata or messages[*].content[*].cache_control")
    return tuple(EACH if step == "[*]" else step for step in _STEP.findall(text))


def _check_path(text: str) -> str:
    parse_path(text)
    return text


def _check_dispensable(path: str) -> str:
    if path in _INDISPENSABLE:
        raise ValueError(f"{path!r} must stay: no request can do without model and messages")
    return path


def _check_range(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError("the lowest value comes first: [low, high]")
    return value


Path = Annotated[str, AfterValidator(_check_path)]
Dispensable = Annotated[Path, AfterValidator(_check_dispensable)]
Paths = Annotated[tuple[Dispensable, ...], BeforeValidator(as_list)]
Fields = Annotated[tuple[Path, ...], BeforeValidator(as_list)]
Words = Annotated[tuple[str, ...], BeforeValidator(as_list)]
Range = Annotated[tuple[float, float], AfterValidator(_check_range)]


class Rewrite(BaseModel):
    """What is changed in a request. Without any rule it leaves as it came."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: str = ""
    """The profile of `rewrites.toml` these rules extend."""
    learn: bool | None = None
    """Remove what a 400 names and try again; None: for every provider that is not first party."""

    system_role: Literal["keep", "hoist", "user"] = "keep"
    """`role: system` inside messages: into the system prompt, or (`user`) into the user message at its place."""
    attribution: Literal["keep", "drop"] = "keep"
    """Claude Code's first system block, `x-anthropic-billing-header: …`."""
    prepend_system: str = ""
    """Text put before the system prompt."""

    thinking: dict[ThinkingType, Literal["keep", "adaptive", "enabled", "disabled", "drop"]] = Field(
        default_factory=dict
    )
    """By `thinking.type` of the request: what to make of it."""
    thinking_budget: int | None = Field(default=None, ge=1024)
    """The largest `budget_tokens`."""
    least_thinking_budget: int = Field(default=1024, ge=1024)
    """The smallest `budget_tokens`; with no room for it there is no thinking."""
    thoughts: Literal["optional", "in_turn", "with_calls", "always", "filled"] = "optional"
    """Thoughts of before that have to be there for it to think on: the first of the turn under way, one with every
    tool call, one with every answer. Where one is missing, because another provider has answered, thinking is turned
    off. `filled`, and for a model that cannot be turned off: a thought without content stands in."""
    whole_answers: Literal["keep", "without_thinking"] = "keep"
    """It thinks only while it streams."""
    max_tokens: int | None = Field(default=None, ge=1)
    """The largest `max_tokens`."""
    signatures: Literal["keep", "own"] = "keep"
    """Thinking blocks of earlier answers: drop those of other providers, or (`own`) all that are not its own."""

    fields: Fields | None = None
    """The fields of a body it takes, of objects (`thinking.type`) those members. Fields of a beta that stays, or that
    another rule names, are taken as well. None: all."""
    message_fields: Words | None = None
    """The fields of a message it takes, beside those of betas that stay. None: all."""

    blocks: Words | None = None
    """The types of content blocks it takes; others become text, `redacted_thinking` is dropped. None: all."""
    refused_blocks: Words = ()
    """Types of content blocks that become text, whatever `blocks` says."""
    block_fields: Words | None = None
    """The fields of content blocks it takes, as `type.field`. Of types that none is named for, and None: all."""
    images: Literal["keep", "note"] = "keep"
    """`note`: a line of text takes the place of an image."""
    image_sources: Words | None = None
    """The `source.type` values of images it takes; others become a note. None: all."""

    tool_fields: Words | None = None
    """The fields of a client tool it takes. None: all."""
    tool_name_length: int | None = Field(default=None, ge=16)
    """The longest name of a tool; longer ones are shortened, and put back in the answer. None: any length."""
    flat_schemas: bool = False
    """It takes no anyOf, oneOf or allOf at the top of an `input_schema`: these become one object."""
    server_tools: Words | None = None
    """Globs on the types of those of Anthropic's tools that it has; others are removed. None: all."""
    refused_tools: Words = ()
    """Types of tools that are removed, whatever `server_tools` says."""
    tool_choice: dict[
        Literal["any", "tool", "none"], Literal["keep", "auto", "any", "drop", "without_thinking"]
    ] = Field(default_factory=dict)
    """By `tool_choice.type` of the request: what to make of it."""

    cache_fields: Words | None = None
    """The keys of `cache_control` it takes; an empty list removes the markers. None: all."""
    cache_markers: int | None = Field(default=None, ge=0)
    """How many markers it takes; of more the most useful stay. None: it is up to client and provider."""
    auto_cache: bool = False
    """Set breakpoints for a client that sets none: the system prompt and the last two user messages."""

    keep_betas: Words | None = None
    """Globs on `anthropic-beta` values; the others are removed together with their fields. None: all are kept."""
    drop_betas: Words = ()
    drop: Paths = ()
    set: dict[Path, Any] = Field(default_factory=dict)
    rename: dict[Dispensable, str] = Field(default_factory=dict)
    """From a path to the new name of its last key."""
    clamp: dict[Path, Range] = Field(default_factory=dict)
    map: dict[Path, dict[str, Any]] = Field(default_factory=dict)
    """By path: which value takes the place of which."""

    chat: ChatForm = ChatForm()
    """How the request is written for a provider of kind `openai`."""

    models: dict[str, Rewrite] = Field(default_factory=dict)
    """Further rules for upstream models that match a glob. With a `profile` they take the place of all others."""

    def executes(self, tool_type: str) -> bool:
        """Whether the provider has this tool of Anthropic's."""
        if tool_type in self.refused_tools:
            return False
        return self.server_tools is None or any(fnmatchcase(tool_type, glob) for glob in self.server_tools)

    @field_validator("models")
    @classmethod
    def _models_are_one_level_deep(cls, models: dict[str, Rewrite]) -> dict[str, Rewrite]:
        if any(rules.models or rules.learn is not None for rules in models.values()):
            raise ValueError("rules for single models hold no models or learn")
        return models


class Pair(BaseModel):
    """A beta and the body fields that come with it: neither is accepted without the other."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    betas: tuple[str, ...]
    """Globs on `anthropic-beta` values."""
    fields: tuple[Path, ...] = ()
    values: dict[Path, str] = Field(default_factory=dict)
    """Fields of which only one value needs the beta."""
    blocks: tuple[str, ...] = ()
    """Types of content blocks that need it; elsewhere they become text."""
    tools: tuple[str, ...] = ()
    """Names of tools that mean nothing without it."""
    cache_fields: tuple[str, ...] = ()
    """Keys of cache markers that need it."""
    header: str = ""
    """The value to send when Turnout itself sets one of the fields."""


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("turnout.settings").joinpath("rewrites.toml").read_text(encoding="utf-8"))


def profiles() -> dict[str, dict[str, Any]]:
    """Named sets of rules that `rewrite` tables start from."""
    found: dict[str, dict[str, Any]] = _table()["profiles"]
    return found


@cache
def foreign_headers() -> frozenset[str]:
    """Names of the client's headers that go to every provider, not only to a first party."""
    return frozenset(_table()["headers"]["foreign"])


@cache
def pairs() -> tuple[Pair, ...]:
    """The known betas with their fields."""
    return tuple(Pair.model_validate(pair) for pair in _table()["pairs"])


def extended(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the rules of `over` added: lists are joined, tables merged, single values replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = extended(below, value)
        elif isinstance(below, list | tuple) and key in _LISTS:
            added = [value] if isinstance(value, str) else value
            result[key] = [*below, *(each for each in added if each not in below)] if _is_list(added) else value
        else:
            result[key] = value
    return result


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


_LISTS = frozenset(
    ("fields", "message_fields", "blocks", "refused_blocks", "block_fields", "tool_fields", "server_tools")
    + ("refused_tools", "image_sources", "cache_fields", "keep_betas", "drop_betas", "drop")
)
"""Rules whose values a table extends; the pair of a `clamp` is no such list, nor are the `efforts` of `chat`."""


def usual_profile(provider: Mapping[str, Any]) -> str:
    """The profile that the rules of a provider start from when none is named. `provider`: its table."""
    if provider.get("kind") == "openai":
        return "chat"
    return "none" if provider.get("first_party") else "safe"


def complete(own: Mapping[str, Any], preset: Mapping[str, Any], *, usual: str) -> dict[str, Any]:
    """The rules of a provider: its own over its preset's over the profile, which is the `usual` one if none is named.

    A profile that its own table names takes the place of the preset's rules. Models with a profile of their own start
    from that, and what the provider's own table says holds for them as well. Raises KeyError with a profile's name
    that is not known.
    """
    if "profile" in own:
        preset = {}
    name = own.get("profile") or preset.get("profile") or usual
    rules = {**extended(extended(profiles()[name], preset), own), "profile": name}
    models = rules.get("models")
    if not isinstance(models, Mapping):
        return rules
    return {**rules, "models": {glob: _of_model(glob, table, own) for glob, table in models.items()}}


def _of_model(glob: str, table: Any, own: Mapping[str, Any]) -> Any:
    if not isinstance(table, Mapping) or not isinstance(table.get("profile"), str):
        return table
    whole = {name: value for name, value in own.items() if name not in _OF_PROVIDER}
    models = own.get("models")
    mine = models.get(glob, {}) if isinstance(models, Mapping) else {}
    return {
        **extended(extended(extended(profiles()[table["profile"]], table), whole), mine),
        "profile": table["profile"],
    }


_OF_PROVIDER = frozenset(("models", "profile", "learn"))
"""What rules for single models do not hold."""


def rules_for(rewrite: Rewrite, model: str, more: Iterable[Mapping[str, Any]] = ()) -> Rewrite:
    """The rules for one upstream model: those for globs that match it, and `more` rule tables, added in this order."""
    name = model.lower()
    special = [rules for glob, rules in rewrite.models.items() if fnmatchcase(name, glob.lower())]
    start = max((place for place, rules in enumerate(special) if rules.profile), default=-1)
    base = special[start] if start >= 0 else rewrite
    tables = [rules.model_dump(exclude_unset=True) for rules in special[start + 1 :]] + list(more)
    if base is rewrite and not tables:
        return rewrite
    return overlaid(base.model_dump(exclude={"models"}, exclude_unset=True), *tables)


def overlaid(table: Mapping[str, Any], *over: Mapping[str, Any]) -> Rewrite:
    """Rule tables one over the other, as rules."""
    for added in over:
        table = extended(table, added)
    return Rewrite.model_validate(table)
