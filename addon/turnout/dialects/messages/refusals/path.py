"""From where a provider says that a field is, to the paths under which a `drop` rule finds it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from turnout.settings.rewriting import EACH, MARKED, parse_path

LONGEST_PATH = 200
_MOST_STEPS = 16

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")

# pydantic names the member of a union that it tried: `str`, `list[ContentBlock]`, `tagged-union[…]`, `TextBlock`.
_PYTHON_TYPE = re.compile(
    r"(?:str|list|dict|union|nullable|(?:tagged|function|constrained)-.*|[A-Z][\w,]*)(?:\[.*)?", re.DOTALL
)

# Tags of unions, which stand in a location as if they were keys, by the key (or, for elements, the list) before them.
_TYPED_TOOL = re.compile(r"custom|function|\w+_\d{8}|mcp_toolset")
_BLOCK_TYPE = re.compile(
    r"text|image|document|search_result|thinking|redacted_thinking|tool_use|tool_result|tool_reference|server_tool_use"
    r"|mcp_tool_use|container_upload|compaction|fallback|\w+_tool_result"
)
_TAGS = {
    "messages": re.compile("user|assistant|system"),
    "tools": _TYPED_TOOL,
    "content": _BLOCK_TYPE,
    "system": re.compile("text"),
    "cache_control": re.compile("ephemeral"),
    "thinking": re.compile("enabled|adaptive|disabled|between_tools"),
    "tool_choice": re.compile("auto|any|none|tool"),
    "source": re.compile("base64|url|text|content|file"),
}
_LISTS = frozenset({"messages", "tools", "content", "system"})

# Fields that no request, message, tool or mode of thinking can do without. Client tools have no `type`, but without it
# a tool of Anthropic's would become one of them.
_NEEDED_ON_TOP = frozenset({"model", "messages", "max_tokens", "system", "tools", "stream"})
_NEEDED_IN_MESSAGES = frozenset(
    {"role", "type", "text", "id", "name", "input", "tool_use_id", "source", "thinking", "signature", "data", "title"}
    | {"url", "media_type", "file_id"}
)
_NEEDED_IN_TOOLS = frozenset({"name", "type", "description", "input_schema"})
_NEEDED_IN_OTHERS = frozenset({"name", "type", "budget_tokens"})
_NEEDED = _NEEDED_ON_TOP | _NEEDED_IN_MESSAGES | _NEEDED_IN_TOOLS | _NEEDED_IN_OTHERS | {"content"}

# Objects whose members are dropped one by one; of any other top-level field a part makes no sense without the rest.
_DIVISIBLE = frozenset({"messages", "system", "tools", "thinking", "output_config", "tool_choice", "cache_control"})

_OBJECTS = _DIVISIBLE | {
    "metadata", "context_management", "container", "mcp_servers", "fallbacks", "thread", "compaction", "diagnostics",
    "safeguards",
}  # fmt: skip
"""Fields of a request that have fields of their own."""

_IN_BLOCKS = ("messages[*].content[*].{}", "messages[*].content[*].content[*].{}")
_HOMES = {
    **dict.fromkeys(("effort", "task_budget", "format"), ("output_config.{}",)),
    **dict.fromkeys(("display", "block_binding"), ("thinking.{}",)),
    **dict.fromkeys(
        ("defer_loading", "eager_input_streaming", "strict", "input_examples", "allowed_callers"), ("tools[*].{}",)
    ),
    **dict.fromkeys(("caller", "citations", "toolset_name", "transformations", "is_error"), _IN_BLOCKS),
    "disable_parallel_tool_use": ("tool_choice.{}",),
    "scope": tuple(f"{place}.cache_control.{{}}" for place in MARKED),
    "ttl": ("cache_control.{}", *(f"{place}.cache_control.{{}}" for place in MARKED)),
    "evict_on_complete": ("cache_control.{}",),
    "cache_control": ("{}", *(f"{place}.{{}}" for place in MARKED)),
}
"""Where the newest requests have fields of these names, for providers that give the name alone."""


def is_place(steps: Sequence[str]) -> bool:
    """Whether this leads into a request, and is not a word before a colon, as in `json: unknown field`."""
    return bool(steps) and steps[0] in _OBJECTS


def is_block_type(word: str) -> bool:
    """Whether this is the type of a content block of Anthropic's."""
    return _BLOCK_TYPE.fullmatch(word) is not None


def paths_of_name(name: str) -> tuple[str, ...]:
    """The paths to drop for a field whose name alone is known; none when it is needed somewhere."""
    if name == "thinking":  # blocks have a text of this name, too, which nobody refuses by name
        return (name,)
    if name in _NEEDED or not _KEY.fullmatch(name):
        return ()
    return tuple(home.format(name) for home in _HOMES.get(name, ("{}",)))


def paths_of_location(steps: Sequence[str]) -> tuple[str, ...]:
    """The paths to drop for a field at this place of one request; none when it is needed.

    Indices stand for every element. A key of one cache marker is dropped from all of them.
    """
    keys = without_tags(steps)
    if not keys or keys[-1] == EACH:
        return ()
    if keys[0] not in _DIVISIBLE or keys[:2] == ("output_config", "format"):
        keys = keys[: 2 if keys[0] == "output_config" else 1]
    if len(keys) > 2 and keys[-2] == "cache_control":
        found: Iterable[str] = (f"{place}.cache_control.{keys[-1]}" for place in MARKED)
    else:
        found = (_written(keys),)
    return tuple(path for path in found if is_droppable(path))


def is_droppable(path: str) -> bool:
    """A path that a `drop` rule can have, to a field that no request needs."""
    if len(path) > LONGEST_PATH:
        return False
    try:
        steps = parse_path(path)
    except ValueError:
        return False
    keys = [step for step in steps if step != EACH]
    if not keys or steps[-1] == EACH or not all(_KEY.fullmatch(key) for key in keys):
        return False
    top, below = keys[0], keys[1:]
    if not below:
        return top not in _NEEDED_ON_TOP
    if top in _NEEDED_ON_TOP - _LISTS or keys[-2:] == ["cache_control", "type"]:
        return False
    if top not in _NEEDED_ON_TOP:
        return _NEEDED_IN_OTHERS.isdisjoint(below)
    # In a list of blocks, `content` leads on to blocks; as the last step it is the text itself.
    needed = _NEEDED_IN_TOOLS if top == "tools" else _NEEDED_IN_MESSAGES
    return needed.isdisjoint(below) and below[-1] != "content"


def without_tags(steps: Sequence[str]) -> tuple[str, ...]:
    """The keys of a place with EACH for indices, and without the tags of unions; empty when it is no place.

    A place that ends in a tag is none: what is wrong is there, but not said, or it is the field of this name.
    """
    keys: list[str] = []
    if len(steps) > _MOST_STEPS:
        return ()
    for number, step in enumerate(steps):
        if step.isdecimal():
            if not keys:
                return ()
            if keys[-1] != EACH:
                keys.append(EACH)
        elif _PYTHON_TYPE.fullmatch(step) or _is_tag(step, keys):
            if number + 1 == len(steps):
                return ()
        elif _KEY.fullmatch(step):
            keys.append(step)
        else:
            return ()
    return tuple(keys)


def _is_tag(step: str, keys: Sequence[str]) -> bool:
    if not keys:
        return False
    in_list = keys[-1] == EACH
    before = keys[-2] if in_list else keys[-1]
    # `thinking` is a field of the request, and a type and a field of blocks: only the first has tags.
    if (before == "thinking" and len(keys) > 1) or in_list != (before in _LISTS):
        return False
    tags = _TAGS.get(before)
    return tags is not None and tags.fullmatch(step) is not None


def _written(keys: Sequence[str]) -> str:
    return "".join("[*]" if key == EACH else f".{key}" for key in keys).lstrip(".")
