"""Chat Completions requests that the scripted servers take."""

from __future__ import annotations

from typing import Any

from turnout.testing.chat import Thought
from turnout.testing.chat.whole import detail

Body = dict[str, Any]

MODELS = {
    "openai": "gpt-4.1",
    "gemini": "gemini-3-pro",
    "deepseek": "deepseek-v4-pro",
    "moonshot": "kimi-k2.6",
    "zai": "glm-4.6",
    "minimax": "MiniMax-M3",
    "qwen": "qwen3.8-max",
    "xai": "grok-3",
    "fireworks": "accounts/fireworks/models/glm-5p2",
}


def function(name: str = "Bash", **more: Any) -> Body:
    parameters = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
    return {"type": "function", "function": {"name": name, "description": "runs", "parameters": parameters, **more}}


def user(content: Any) -> Body:
    return {"role": "user", "content": content}


def said(text: str, **more: Any) -> Body:
    return {"role": "assistant", "content": text, **more}


def call(told: str, name: str = "Bash", arguments: str = '{"command": "go"}', **more: Any) -> Body:
    return {"id": told, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def calling(*calls: Body, **more: Any) -> Body:
    return {"role": "assistant", "content": None, "tool_calls": list(calls), **more}


def result(told: str, content: Any = "gone") -> Body:
    return {"role": "tool", "tool_call_id": told, "content": content}


def image(url: str = "data:image/png;base64,AAAA") -> Body:
    return {"type": "image_url", "image_url": {"url": url}}


def text(told: str = "a", **more: Any) -> Body:
    return {"type": "text", "text": told, **more}


THOUGHT = {"reasoning_content": "well"}

OWN_CALLING: dict[str, Body] = {
    "deepseek": THOUGHT,
    "moonshot": THOUGHT,
    "openrouter": {"reasoning_details": [detail(Thought("well"), 0)]},
}
"""What vendors want on an answer that calls."""


def turn(name: str) -> list[Body]:
    """Two parallel calls, their results, and a word on them."""
    first = calling(call("abcdefgh1"), call("abcdefgh2"), **OWN_CALLING.get(name, {}))
    if name == "groq":
        del first["content"]
    last = said("Done.", **(THOUGHT if name == "deepseek" else {}))
    return [user("go"), first, result("abcdefgh1"), result("abcdefgh2"), last]


def plain(name: str, **more: Any) -> Body:
    """What every vendor takes: the classic API."""
    body: Body = {
        "model": MODELS.get(name, "some-model"),
        "messages": [{"role": "system", "content": "be kind"}, *turn(name), user("and now?")],
        "max_tokens": 4096,
        "tools": [function()],
        "tool_choice": "auto",
        "stream": True,
        "stop": ["stop"],
    }
    whole = {**body, **more}
    return {field: value for field, value in whole.items() if value is not None}
