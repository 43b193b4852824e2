"""Hypothesis strategies for Messages bodies: anything that Anthropic's own API takes, betas included."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.wire.shapes import IMAGE, Body

Draw = st.DrawFn

_CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cs",))
words = st.text(_CHARACTERS, min_size=1, max_size=12).filter(lambda text: bool(text.strip()))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(st.text(max_size=5), json_values, max_size=3)

NAMES = ("Bash", "Read", "mcp__server__tool_0")
SERVER_TOOLS: tuple[Body, ...] = (
    {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
    {"type": "code_execution_20250825", "name": "code_execution"},
    {"type": "bash_20250124", "name": "bash"},
    {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
)
TOOL_EXTRAS: Body = {
    "type": "custom",
    "strict": True,
    "defer_loading": True,
    "eager_input_streaming": True,
    "allowed_callers": ["direct"],
    "input_examples": [{"a": 1}],
    "cache_control": {"type": "ephemeral"},
}

EXTRAS: dict[str, tuple[Any, str]] = {
    "context_management": ({"edits": [{"type": "clear_tool_uses_20250919"}]}, "context-management-2025-06-27"),
    "compaction": ({"type": "summarize"}, "compact-2026-09-04"),
    "mcp_servers": ([{"type": "url", "name": "a", "url": "https://example.com/"}], "mcp-client-2025-11-20"),
    "speed": ("fast", "fast-mode-2026-02-01"),
    "fallbacks": ([{"model": "claude-sonnet-4-6"}], "server-side-fallback-2026-07-01"),
    "fallback_credit_token": ("token", "fallback-credit-2026-07-01"),
    "thread": ({"type": "create"}, "message-threads-2026-08-12"),
    "tags": ({"a": "b"}, "request-tags-2026-08-21"),
    "output_format": ({"type": "json_schema", "schema": {"type": "object"}}, "structured-outputs-2025-11-13"),
    "billing_policy": ("strict", ""),
    "safeguards": ({"a": True}, ""),
    "service_tier": ("auto", ""),
    "container": ("container_01", ""),
    "inference_geo": ("us", ""),
    "diagnostics": ({"previous_message_id": "msg_01"}, "cache-diagnosis-2026-04-07"),
    "cache_control": ({"type": "ephemeral", "ttl": "1h"}, ""),
    "metadata": ({"user_id": "{}"}, ""),
    "stop_sequences": (["stop"], ""),
    "temperature": (0.0, ""),
    "top_k": (5, ""),
    "top_p": (0.5, ""),
    "stream": (True, ""),
}
"""Fields of the body, and the beta that comes with them."""

BETAS = (
    "claude-code-20250219",
    "oauth-2025-04-20",
    "interleaved-thinking-2025-05-14",
    "mid-conversation-system-2026-04-07",
    "prompt-caching-scope-2026-01-05",
    "structured-outputs-2025-12-15",
    "effort-2025-11-24",
    "task-budgets-2026-03-13",
    "something-nobody-knows-2027-01-01",
)


def texts_as_blocks() -> st.SearchStrategy[Body]:
    cited = {"type": "char_location", "cited_text": "a", "document_index": 0, "start_char_index": 0}
    plain = words.map(lambda text: {"type": "text", "text": text})
    return plain | plain.map(lambda block: {**block, "citations": [cited]})


def documents() -> st.SearchStrategy[Body]:
    def document(source: Body) -> Body:
        return {"type": "document", "source": source, "title": "a", "citations": {"enabled": True}}

    plain = words.map(lambda text: {"type": "text", "media_type": "text/plain", "data": text})
    pdf = st.just({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"})
    return (plain | pdf).map(document)


def search_results() -> st.SearchStrategy[Body]:
    def found(block: Body) -> Body:
        return {"type": "search_result", "source": "https://example.com/", "title": "a", "content": [block]}

    return words.map(lambda text: found({"type": "text", "text": text}))


def images() -> st.SearchStrategy[Body]:
    return st.sampled_from([IMAGE, {**IMAGE, "transformations": [{"type": "resize"}]}]).map(dict)


def user_blocks() -> st.SearchStrategy[Body]:
    return texts_as_blocks() | images() | documents() | search_results()


def result_contents() -> st.SearchStrategy[Any]:
    reference = st.just({"type": "tool_reference", "tool_name": "Read"})
    return st.text(_CHARACTERS, max_size=8) | st.lists(user_blocks() | reference, max_size=3)


def thoughts() -> st.SearchStrategy[Body]:
    signed = st.tuples(st.text(_CHARACTERS, max_size=8), st.sampled_from(["c2lnbmVk", "b3duCg==", ""]))
    redacted = st.just({"type": "redacted_thinking", "data": "ZGF0YQ=="})
    return signed.map(lambda both: {"type": "thinking", "thinking": both[0], "signature": both[1]}) | redacted


@st.composite
def searches(draw: Draw) -> list[Body]:
    """A search that Anthropic's server made inside an answer."""
    id = f"srvtoolu_{draw(st.integers(0, 9))}"
    page = {"type": "web_search_result", "url": "https://example.com/", "title": "a", "encrypted_content": "e30="}
    use = {"type": "server_tool_use", "id": id, "name": "web_search", "input": {"query": draw(words)}}
    return [use, {"type": "web_search_tool_result", "tool_use_id": id, "content": draw(st.lists(st.just(page)))}]


@st.composite
def system_entries(draw: Draw) -> list[Body]:
    content = words | st.lists(words.map(lambda text: {"type": "text", "text": text}), min_size=1, max_size=2)
    return [{"role": "system", "content": each} for each in draw(st.lists(content, max_size=2))]


@st.composite
def answers(draw: Draw, turn: int) -> tuple[Body, list[Body]]:
    """A turn of the assistant, and the results that the user's next message must start with."""
    blocks = draw(st.lists(thoughts(), max_size=2))
    blocks += draw(st.just([]) | searches())
    blocks += draw(st.lists(texts_as_blocks(), max_size=2))
    calls = [f"toolu_{turn}_{number}" for number in range(draw(st.integers(0, 3)))]
    for id in calls:
        extra = draw(st.sampled_from([{}, {"caller": {"type": "direct"}}, {"toolset_name": "a"}]))
        blocks.append(
            {"type": "tool_use", "id": id, "name": draw(st.sampled_from(NAMES)), "input": draw(objects), **extra}
        )
    if not blocks:
        return {"role": "assistant", "content": draw(words)}, []
    results = []
    for id in draw(st.permutations(calls)):
        result: Body = {"type": "tool_result", "tool_use_id": id, "content": draw(result_contents())}
        results.append(result | draw(st.sampled_from([{}, {"is_error": True}])))
    return {"role": "assistant", "content": blocks}, results


@st.composite
def conversations(draw: Draw) -> list[Body]:
    """Messages in any order that Anthropic takes, system entries between them included."""
    messages = draw(system_entries())
    results: list[Body] = []
    for turn in range(draw(st.integers(1, 3))):
        blocks = results + draw(st.lists(user_blocks(), min_size=0 if results else 1, max_size=3))
        said = not results and draw(st.booleans())
        messages.append({"role": "user", "content": draw(words) if said else blocks})
        messages += draw(system_entries())
        answer, results = draw(answers(turn))
        messages += [answer, *draw(system_entries())]
    if results or draw(st.booleans()):
        messages.append({"role": "user", "content": results + draw(st.lists(user_blocks(), min_size=1, max_size=2))})
        messages += draw(system_entries())
    return messages


@st.composite
def tool_lists(draw: Draw) -> list[Body]:
    tools = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        extras = draw(st.sets(st.sampled_from(sorted(TOOL_EXTRAS))))
        schema = {"type": "object", "properties": draw(objects)}
        own = {"name": name, "description": draw(words), "input_schema": schema}
        tools.append(own | {name: TOOL_EXTRAS[name] for name in sorted(extras)})
    return tools + draw(st.lists(st.sampled_from(SERVER_TOOLS), unique_by=lambda tool: tool["name"]))


def _thinking(draw: Draw, most: int) -> Body | None:
    choices: list[Body | None] = [None, {"type": "disabled"}, {"type": "adaptive"}, {"type": "between_tools"}]
    choices.append({"type": "adaptive", "display": "summarized", "block_binding": "none"})
    if most > 1024:
        choices.append({"type": "enabled", "budget_tokens": draw(st.integers(1024, most - 1))})
    return draw(st.sampled_from(choices))


def _tool_choice(draw: Draw, tools: list[Body], free: bool) -> Body | None:
    """Thinking allows no forced use of a tool."""
    choices: list[Body | None] = [None, {"type": "none"}, {"type": "auto", "disable_parallel_tool_use": True}]
    if tools and free:
        choices += [{"type": "any"}, *({"type": "tool", "name": tool["name"]} for tool in tools)]
    return draw(st.sampled_from(choices))


def _mark(draw: Draw, body: Body) -> None:
    """Up to four breakpoints, on blocks that may carry one."""
    tools = body.get("tools", [])
    for tool in tools:
        tool.pop("cache_control", None)
    rows = [
        block for message in body["messages"] if isinstance(message["content"], list) for block in message["content"]
    ]
    rows = [block for block in rows if "thinking" not in block["type"]] + tools
    rows += body["system"] if isinstance(body.get("system"), list) else []
    if not rows:
        return
    keys = st.sampled_from([{}, {"ttl": "5m"}, {"ttl": "1h"}, {"scope": "global"}])
    for place in draw(st.lists(st.integers(0, len(rows) - 1), max_size=4, unique=True)):
        rows[place]["cache_control"] = {"type": "ephemeral"} | draw(keys)


@st.composite
def bodies(draw: Draw) -> tuple[Body, tuple[str, ...]]:
    """A body and the betas it is sent with."""
    most = draw(st.sampled_from([0, 1, 1025, 2048, 4096, 64000]))
    body: Body = {"model": "claude-opus-4-6", "max_tokens": most, "messages": draw(conversations())}
    billing = {"type": "text", "text": "x-anthropic-billing-header: cc_version=1;"}
    prompts = st.lists(texts_as_blocks(), max_size=2)
    system = draw(st.none() | words | prompts | prompts.map(lambda blocks: [dict(billing), *blocks]))
    thinking = _thinking(draw, most)
    tools = [dict(tool) for tool in draw(tool_lists())]
    free = thinking is None or thinking["type"] == "disabled"
    found = {"system": system, "thinking": thinking, "tool_choice": _tool_choice(draw, tools, free)}
    body |= {name: value for name, value in found.items() if value is not None} | ({"tools": tools} if tools else {})
    config = {"effort": draw(st.sampled_from(["low", "medium", "high", "xhigh", "max"]))}
    config |= draw(st.sampled_from([{}, {"format": {"type": "json_schema", "schema": {"type": "object"}}}]))
    config |= draw(st.sampled_from([{}, {"task_budget": {"type": "tokens", "total": 20000}}]))
    body |= draw(st.sampled_from([{}, {"output_config": config}]))
    extras = draw(st.sets(st.sampled_from(sorted(EXTRAS)), max_size=4))
    body |= {name: EXTRAS[name][0] for name in sorted(extras)}
    _mark(draw, body)
    named = [EXTRAS[name][1] for name in sorted(extras) if EXTRAS[name][1]]
    return body, (*named, *draw(st.lists(st.sampled_from(BETAS), unique=True, max_size=4)))
