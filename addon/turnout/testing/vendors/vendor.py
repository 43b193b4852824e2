"""What one vendor takes, as data, and the checks that read it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from turnout.testing.vendors.base import check_base, placed_blocks
from turnout.testing.vendors.problem import Path, Phrase, Problem, among, invalid, only, require
from turnout.testing.wire import RecordedRequest

FIELDS = frozenset(
    ("model", "messages", "max_tokens", "system", "stop_sequences", "stream", "temperature", "top_p", "top_k")
    + ("metadata", "tools", "tool_choice", "thinking")
)
"""The body since tools and thinking became generally available; what came later is news to an imitator."""

BLOCKS: dict[str, frozenset[str]] = {
    "text": frozenset(("text",)),
    "image": frozenset(("source",)),
    "thinking": frozenset(("thinking", "signature")),
    "tool_use": frozenset(("id", "name", "input")),
    "tool_result": frozenset(("tool_use_id", "content", "is_error")),
}
TOOL_FIELDS = frozenset(("name", "description", "input_schema", "cache_control"))
Place = Literal["system", "tools", "messages"]

_GENERATION = re.compile(r"(?:.*/)?claude-[a-z]+-(\d{1,2})(?:[.-](\d{1,2}))?(?!\d)")


@dataclass(frozen=True)
class Vendor:
    """The default is an unknown strict server: it takes the plain API and nothing that it has not heard of."""

    name: str
    say: Phrase
    auth: tuple[Literal["x-api-key", "bearer"], ...] = ("x-api-key", "bearer")
    """The headers it takes a key in; none: it asks for no key."""
    counts_tokens: bool = False
    fields: frozenset[str] | None = FIELDS
    """None, here and below: what it does not know it ignores."""
    betas: tuple[str, ...] | None = ()
    """Globs."""
    roles: tuple[str, ...] = ("user", "assistant")
    blocks: Mapping[str, frozenset[str]] | None = field(default_factory=lambda: BLOCKS)
    block_fields: bool = True
    """Fields of blocks that it does not know are refused."""
    image_sources: tuple[str, ...] = ("base64",)
    """Empty: a text-only model."""
    tool_fields: frozenset[str] | None = TOOL_FIELDS
    server_tools: tuple[str, ...] = ()
    """Globs on the types it executes itself."""
    tool_choices: tuple[str, ...] = ("auto", "any", "tool", "none")
    choice_fields: frozenset[str] | None = frozenset(("type", "name", "disable_parallel_tool_use"))
    forces_without_thinking: bool = False
    """`tool_choice` tool is taken with thinking disabled only."""
    thinking: tuple[str, ...] = ("enabled", "disabled")
    thinking_fields: frozenset[str] = frozenset(("type", "budget_tokens"))
    gives_back: bool = False
    """While it thinks, and it does unless that is disabled, it wants a thought before every tool call of the past."""
    by_generation: bool = False
    """It passes thinking on to Claude, whose generations take different types."""
    efforts: tuple[str, ...] = ()
    output_fields: frozenset[str] = frozenset()
    """Of `output_config`, beside the effort."""
    cache_keys: frozenset[str] | None = frozenset(("type",))
    cache_places: tuple[Place, ...] = ("system", "tools", "messages")
    tool_search: bool = True
    """Tools may be deferred, and named in results, where a vendor takes all fields and blocks."""
    most_output: int | None = None
    """The largest `max_tokens`. None: not known."""
    agents: tuple[str, ...] = ("*",)
    """Globs on the `User-Agent` values it answers to."""
    temperatures: tuple[float, float] = (0, 1)
    warm: bool = False
    """Temperature 0 is refused."""
    models: tuple[tuple[str, dict[str, Any]], ...] = ()
    """By glob on the model: what is different there."""

    def for_model(self, model: str) -> Vendor:
        result = self
        for glob, changes in self.models:
            if fnmatchcase(model, glob):
                result = replace(result, **changes)
        return result

    def check_request(self, request: RecordedRequest) -> None:
        """POST /v1/messages, or the count of its tokens, which says nothing of `max_tokens`. Raises Problem."""
        body = request.json
        require(isinstance(body, dict), (), "the body is no JSON object")
        agent = request.lower.get("user-agent", "")
        require(any(fnmatchcase(agent, glob) for glob in self.agents), (), "only available for Coding Agents")
        self.check({"max_tokens": 1_000_000, **body} if request.path.endswith("count_tokens") else body, request.betas)

    def check(self, body: dict[str, Any], betas: tuple[str, ...] | list[str] = ()) -> None:
        """Raises Problem with the first thing this vendor refuses."""
        own = self.for_model(str(body.get("model")))
        _check_betas(own, betas)
        _check_fields(own, body)
        _check_roles(own, body)
        check_base(body)
        _check_blocks(own, body)
        _check_tools(own, body)
        _check_thinking(own, body)
        _check_markers(own, body)
        _check_values(own, body)


def _check_betas(own: Vendor, betas: tuple[str, ...] | list[str]) -> None:
    for beta in betas:
        if own.betas is not None and not any(fnmatchcase(beta, glob) for glob in own.betas):
            raise Problem("beta", ("anthropic-beta",), beta)


def _check_fields(own: Vendor, body: dict[str, Any]) -> None:
    if own.fields is None:
        return
    config = body.get("output_config")
    takes = own.output_fields | ({"effort"} if own.efforts else set())
    only(body, own.fields | ({"output_config"} if takes else set()), ())
    if config is not None:
        require(isinstance(config, dict), ("output_config",), "must be an object")
        only(config, frozenset(takes), ("output_config",))
        if "effort" in config:
            among(config["effort"], own.efforts, ("output_config", "effort"))
    only(body.get("metadata", {}), frozenset(("user_id",)), ("metadata",))


def _check_roles(own: Vendor, body: dict[str, Any]) -> None:
    messages = body.get("messages")
    for position, message in enumerate(messages if isinstance(messages, list) else []):
        role = message.get("role") if isinstance(message, dict) else None
        among(role, own.roles, ("messages", position, "role"))


def _check_blocks(own: Vendor, body: dict[str, Any]) -> None:
    for path, block in placed_blocks(body):
        _check_block(own, block, path)
    system = body.get("system", "")
    for position, block in enumerate(system if isinstance(system, list) else []):
        _check_block(own, block, ("system", position))


def _check_block(own: Vendor, block: dict[str, Any], path: Path) -> None:
    kind = block["type"]
    if own.blocks is not None:
        inside = len(path) > 4  # a tool result holds text and images, and no block has a content of its own in there
        known = tuple(name for name in own.blocks if not inside or name in ("text", "image"))
        among(kind, known if own.image_sources else tuple(name for name in known if name != "image"), (*path, "type"))
        if own.block_fields:
            only(block, own.blocks[kind] | {"type", "cache_control"}, path)
    elif kind in ("tool_addition", "tool_removal") or (kind == "tool_reference" and not own.tool_search):
        raise Problem("unknown variant", (*path, "type"), kind)
    if kind == "image":
        among(block["source"].get("type"), own.image_sources, (*path, "source", "type"))


def _check_tools(own: Vendor, body: dict[str, Any]) -> None:
    for position, tool in enumerate(body.get("tools", [])):
        kind = tool.get("type", "custom")
        if kind == "custom":
            if own.tool_fields is not None:
                only(tool, own.tool_fields, ("tools", position))
            elif not own.tool_search:
                require("defer_loading" not in tool, ("tools", position, "defer_loading"), "tool search is not known")
            placeholder = tool.get("name") == "DeferredToolPlaceholder" and "defer_loading" not in tool
            require(not placeholder, ("tools", position), "a tool that is never to be called")
            schema = tool.get("input_schema")
            require(isinstance(schema, dict), ("tools", position, "input_schema"), "field required")
        elif not any(fnmatchcase(kind, glob) for glob in own.server_tools):
            raise Problem("unknown variant", ("tools", position, "type"), kind, ("custom",))
    choice = body.get("tool_choice")
    if choice is None:
        return
    among(choice.get("type"), own.tool_choices, ("tool_choice", "type"))
    if own.choice_fields is not None:
        only(choice, own.choice_fields, ("tool_choice",))
    names = [tool["name"] for tool in body.get("tools", [])]
    require(choice["type"] != "tool" or choice.get("name") in names, ("tool_choice", "name"), "is no tool")
    if own.forces_without_thinking and choice["type"] == "tool":
        thinks = body.get("thinking", {}).get("type") != "disabled"
        require(not thinks, ("tool_choice",), "Thinking mode does not support this tool_choice")


def _check_given_back(own: Vendor, body: dict[str, Any]) -> None:
    if not own.gives_back or body.get("thinking") == {"type": "disabled"}:
        return
    for position, message in enumerate(body["messages"]):
        content = message["content"] if isinstance(message["content"], list) else []
        types = {block["type"] for block in content} if message["role"] == "assistant" else set()
        wrong = "The `content[].thinking` in the thinking mode must be passed back to the API."
        require("tool_use" not in types or "thinking" in types, ("messages", position), wrong)


def _check_thinking(own: Vendor, body: dict[str, Any]) -> None:
    _check_given_back(own, body)
    thinking = body.get("thinking")
    if thinking is None:
        return
    among(thinking.get("type"), own.thinking, ("thinking", "type"))
    only(thinking, own.thinking_fields, ("thinking",))
    found = _GENERATION.match(body["model"])
    if own.by_generation and found:
        generation = (int(found[1]), int(found[2] or 0))
        if thinking["type"] == "adaptive" and generation < (4, 6):
            raise invalid(("thinking",), "adaptive thinking is not supported on this model")
        if thinking["type"] == "enabled" and generation >= (4, 7):
            raise invalid(("thinking",), '"thinking.type.enabled" is not supported for this model.')
        if thinking["type"] == "disabled" and generation >= (5, 5):
            raise invalid(("thinking",), '"thinking.type.disabled" is not supported for this model.')


def markers(body: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every cache marker with the place of its block."""
    system = body.get("system")
    rows = [(("system", at), block) for at, block in enumerate(system if isinstance(system, list) else [])]
    rows += [(("tools", at), tool) for at, tool in enumerate(body.get("tools", []))]
    for path, block in [*rows, *placed_blocks(body)]:
        if block.get("cache_control") is not None:
            yield path, block["cache_control"]


def _check_markers(own: Vendor, body: dict[str, Any]) -> None:
    count = 0
    for path, marker in markers(body):
        count += 1
        if own.cache_keys is not None:
            among(path[0], own.cache_places, (*path, "cache_control"))
            only(marker, own.cache_keys, (*path, "cache_control"))
    require(count <= 4, ("messages",), f"a maximum of 4 blocks with cache_control may be provided, found {count}")


def _check_values(own: Vendor, body: dict[str, Any]) -> None:
    fits = own.most_output is None or body["max_tokens"] <= own.most_output
    require(fits, ("max_tokens",), f"must be at most {own.most_output}")
    if "temperature" in body:
        low, high = own.temperatures
        value = body["temperature"]
        fits = low <= value <= high and not (own.warm and value == 0)
        require(fits, ("temperature",), f"must be in {'(' if own.warm else '['}{low}, {high}]")
