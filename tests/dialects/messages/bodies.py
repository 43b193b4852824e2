"""Hypothesis strategies for Messages bodies: anything that Anthropic's own API takes, betas included."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.dialects.messages.shapes import IMAGE, Body

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

BILLING = "x-anthropic-billing-header: cc_version=1;"

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


_CITED = {"type": "char_location", "cited_text": "a", "document_index": 0, "start_char_index": 0}
_PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"}
_FOUND = {"type": "search_result", "source": "https://example.com/", "title": "a"}


def _text(text: str) -> Body:
    return {"type": "text", "text": text}


def _document(source: Body) -> Body:
    return {"type": "document", "source": source, "title": "a", "citations": {"enabled": True}}


def _thought(both: tuple[str, str]) -> Body:
    return {"type": "thinking", "thinking": both[0], "signature": both[1]}


# Strategies are made once: Hypothesis examines every new one, which costs more than drawing from it.
plain_texts = words.map(_text)
text_blocks = plain_texts | plain_texts.map(lambda block: {**block, "citations": [_CITED]})
documents = (words.map(lambda text: {"type": "text", "media_type": "text/plain", "data": text}) | st.just(_PDF)).map(
    _document
)
search_results = plain_texts.map(lambda block: {**_FOUND, "content": [block]})
images = st.sampled_from([IMAGE, {**IMAGE, "transformations": [{"type": "resize"}]}]).map(dict)
user_blocks = text_blocks | images | documents | search_results
_references = st.just({"type": "tool_reference", "tool_name": "Read"})
result_texts = st.text(_CHARACTERS, max_size=8)
result_contents = result_texts | st.lists(user_blocks | _references, max_size=3)
thoughts = st.tuples(st.text(_CHARACTERS, max_size=8), st.sampled_from(["c2lnbmVk", "b3duCg==", ""])).map(
    _thought
) | st.just({"type": "redacted_thinking", "data": "ZGF0YQ=="})


@st.composite
def searches(draw: Draw) -> list[Body]:
    """A search that Anthropic's server made inside an answer."""
    id = f"srvtoolu_{draw(st.integers(0, 9))}"
    page = {"type": "web_search_result", "url": "https://example.com/", "title": "a", "encrypted_content": "e30="}
    use = {"type": "server_tool_use", "id": id, "name": "web_search", "input": {"query": draw(words)}}
    return [use, {"type": "web_search_tool_result", "tool_use_id": id, "content": draw(st.lists(st.just(page)))}]


system_entries = st.lists(
    (words | st.lists(plain_texts, min_size=1, max_size=2)).map(lambda content: {"role": "system", "content": content}),
    max_size=2,
)
_searched = st.just([]) | searches()
_call_extras = st.sampled_from([{}, {"caller": {"type": "direct"}}, {"toolset_name": "a"}])
_result_extras = st.sampled_from([{}, {"is_error": True}])


@st.composite
def answers(draw: Draw, turn: int) -> tuple[Body, list[Body]]:
    """A turn of the assistant, and the results that the user's next message must start with."""
    blocks = draw(st.lists(thoughts, max_size=2))
    blocks += draw(_searched)
    blocks += draw(st.lists(text_blocks, max_size=2))
    calls = [f"toolu_{turn}_{number}" for number in range(draw(st.integers(0, 3)))]
    for id in calls:
        call: Body = {"type": "tool_use", "id": id, "name": draw(st.sampled_from(NAMES)), "input": draw(objects)}
        blocks.append(call | draw(_call_extras))
    if not blocks:
        return {"role": "assistant", "content": draw(words)}, []
    results = []
    for id in draw(st.permutations(calls)):
        result: Body = {"type": "tool_result", "tool_use_id": id, "content": draw(result_contents)}
        results.append(result | draw(_result_extras))
    return {"role": "assistant", "content": blocks}, results


@st.composite
def conversations(draw: Draw) -> list[Body]:
    """Messages in any order that Anthropic takes, system entries between them included."""
    messages = draw(system_entries)
    results: list[Body] = []
    for turn in range(draw(st.integers(1, 3))):
        blocks = results + draw(st.lists(user_blocks, min_size=0 if results else 1, max_size=3))
        said = not results and draw(st.booleans())
        messages.append({"role": "user", "content": draw(words) if said else blocks})
        messages += draw(system_entries)
        answer, results = draw(answers(turn))
        messages += [answer, *draw(system_entries)]
    if results or draw(st.booleans()):
        messages.append({"role": "user", "content": results + draw(st.lists(user_blocks, min_size=1, max_size=2))})
        messages += draw(system_entries)
    return messages


_tool_extras = st.sets(st.sampled_from(sorted(TOOL_EXTRAS)))
_server_tools = st.lists(st.sampled_from(SERVER_TOOLS), unique_by=lambda tool: tool["name"])


@st.composite
def tool_lists(draw: Draw) -> list[Body]:
    tools = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        extras = draw(_tool_extras)
        schema = {"type": "object", "properties": draw(objects)}
        own = {"name": name, "description": draw(words), "input_schema": schema}
        tools.append(own | {name: TOOL_EXTRAS[name] for name in sorted(extras)})
    return tools + draw(_server_tools)


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


_marker_keys = st.sampled_from([{}, {"ttl": "5m"}, {"ttl": "1h"}, {"scope": "global"}])


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
    for place in draw(st.lists(st.integers(0, len(rows) - 1), max_size=4, unique=True)):
        rows[place]["cache_control"] = {"type": "ephemeral"} | draw(_marker_keys)


_prompts = st.lists(text_blocks, max_size=2)
_systems = st.none() | words | _prompts | _prompts.map(lambda blocks: [_text(BILLING), *blocks])
_output_configs = st.just({}) | st.fixed_dictionaries(
    {"effort": st.sampled_from(["low", "medium", "high", "xhigh", "max"])},
    optional={
        "format": st.just({"type": "json_schema", "schema": {"type": "object"}}),
        "task_budget": st.just({"type": "tokens", "total": 20000}),
    },
).map(lambda config: {"output_config": config})
_extras = st.sets(st.sampled_from(sorted(EXTRAS)), max_size=4)


@st.composite
def bodies(draw: Draw) -> tuple[Body, tuple[str, ...]]:
    """A body and the betas it is sent with."""
    most = draw(st.sampled_from([0, 1, 1025, 2048, 4096, 64000]))
    body: Body = {"model": "claude-opus-4-6", "max_tokens": most, "messages": draw(conversations())}
    system = draw(_systems)
    thinking = _thinking(draw, most)
    tools = [dict(tool) for tool in draw(tool_lists())]
    free = thinking is None or thinking["type"] == "disabled"
    found = {"system": system, "thinking": thinking, "tool_choice": _tool_choice(draw, tools, free)}
    body |= {name: value for name, value in found.items() if value is not None} | ({"tools": tools} if tools else {})
    body |= draw(_output_configs)
    extras = draw(_extras)
    body |= {name: EXTRAS[name][0] for name in sorted(extras)}
    _mark(draw, body)
    named = [EXTRAS[name][1] for name in sorted(extras) if EXTRAS[name][1]]
    return body, (*named, *draw(st.lists(st.sampled_from(BETAS), unique=True, max_size=4)))
