"""What SDKs of the Messages API ask of servers of Chat Completions, and what has to come of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnout.testing.chat import Call, Text, Thought, Usage, answer

VENDORS = {
    "openai": ("openai", "gpt-6-sol"),
    "gemini": ("gemini", "gemini-3.8-flash"),
    "deepseek": ("deepseek-openai", "deepseek-v4-pro"),
    "moonshot": ("moonshot-openai", "kimi-k2.6"),
    "openrouter": ("openrouter-openai", "z-ai/glm-5.3"),
    "mistral": ("mistral", "mistral-medium-latest"),
    "llamacpp": ("llamacpp-openai", "any"),
    "plain": ("own", "any"),
}
"""The preset that is asked, and a model of it; `own` is no preset."""

TOOL = {
    "name": "look",
    "description": "Looks.",
    "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
}
ASK: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 9000,
    "thinking": {"type": "adaptive"},
    "tools": [TOOL],
    "messages": [{"role": "user", "content": "Look here and there."}],
}

THOUGHT, SAID, DONE = "Both at once.", "Let me look.", "Nothing there."
PLACES = ("here", "thére")
LOOKS = answer(
    Thought(THOUGHT),
    Text(SAID),
    *(Call("look", {"at": place}) for place in PLACES),
    usage=Usage(1000, 50, cached=900, reasoning=10),
)
SCRIPT = [LOOKS, LOOKS, answer(Text(DONE))]
"""For one answer in one piece, the same as a stream, and the end."""


def assert_the_same(whole: dict[str, Any], streamed: dict[str, Any], pieces: Sequence[str]) -> None:
    """That LOOKS has come in either form; `pieces`: of its text, as they were streamed."""
    assert _without_ids(whole) == _without_ids(streamed)
    assert len(pieces) > 1 and "".join(pieces) == SAID
    content = streamed["content"]
    assert [block["type"] for block in content if block["type"] != "thinking"] == ["text", "tool_use", "tool_use"]
    assert THOUGHT in [block["thinking"] for block in content if block["type"] == "thinking"]
    calls = [block for block in content if block["type"] == "tool_use"]
    assert [call["input"] for call in calls] == [{"at": place} for place in PLACES]
    assert len({call["id"] for call in calls}) == len(PLACES)
    assert (streamed["model"], streamed["stop_reason"]) == (ASK["model"], "tool_use")
    counts = [streamed["usage"][name] for name in ("input_tokens", "cache_read_input_tokens", "output_tokens")]
    assert counts == [100, 900, 50]


def _without_ids(message: dict[str, Any]) -> dict[str, Any]:
    """What a message says: its id and those of calls that the provider does not name are made up for each answer."""
    return {**_told(message), "content": [_told(block) for block in message["content"]]}


def _told(item: dict[str, Any]) -> dict[str, Any]:
    told = {key: value for key, value in item.items() if key != "id" and value is not None}
    if str(told.get("signature", "")).startswith("chat."):
        told["signature"] = "sealed"  # with such an id in it
    return told
