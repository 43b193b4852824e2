"""A scrubbed Messages request is still one: a provider that is strict takes it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.test import tflow

from turnout.recordings.scrub.flow import Scrubber
from turnout.testing.strict import check_messages
from turnout.testing.wire import RecordedRequest

words = st.text(min_size=1, max_size=30).filter(str.strip) | st.sampled_from(
    ["sk-ant-api03-0123456789", "ada@math.example.org", "/home/ada/x", "toolu_01A09q90qw90lq917835lq9", "***"]
)
identifiers = st.lists(st.from_regex(r"toolu_[A-Za-z0-9]{8,24}", fullmatch=True), min_size=2, max_size=2, unique=True)
values = words | st.integers() | st.booleans() | st.none() | st.lists(words, max_size=2)
inputs = st.dictionaries(words, values, max_size=3)
marker = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
HEADERS = {
    "content-type": "application/json",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "interleaved-thinking-2025-05-14,context-management-2025-06-27",
    "x-api-key": "sk-ant-api03-0123456789",
}


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A conversation with thinking, two tool calls at once, their results, an image and a document."""
    first, second = draw(identifiers)
    image = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAAANSUhEUg=="}
    schema = {"type": "object", "properties": {draw(words): {"type": "string", "description": draw(words)}}}
    said = [
        {"type": "thinking", "thinking": draw(words), "signature": "EqQBCkgIARABGAIiQ"},
        {"type": "text", "text": draw(words)},
        {"type": "tool_use", "id": first, "name": "Bash", "input": draw(inputs)},
        {"type": "tool_use", "id": second, "name": "Read", "input": draw(inputs)},
    ]
    results = [
        {"type": "tool_result", "tool_use_id": first, "content": draw(words), "is_error": True},
        {"type": "tool_result", "tool_use_id": second, "content": [{"type": "image", "source": image}], **marker},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": draw(words)}},
        {"type": "text", "text": draw(words)},
    ]
    return {
        "model": "claude-sonnet-4-6",
        "max_tokens": 32000,
        "stream": True,
        "system": [{"type": "text", "text": draw(words), **marker}],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "tools": [{"name": name, "description": draw(words), "input_schema": schema} for name in ("Bash", "Read")],
        "tool_choice": {"type": "auto"},
        "metadata": {"user_id": json.dumps({"device_id": "0a1b2c", "session_id": draw(words)})},
        "messages": [
            {"role": "user", "content": draw(words)},
            {"role": "assistant", "content": said},
            {"role": "user", "content": results},
        ],
    }


def check(request: http.Request) -> None:
    check_messages(RecordedRequest("POST", request.path, list(request.headers.items()), request.content or b""))


@pytest.mark.parametrize("keep_text", [False, True])
@given(body=bodies(), ascii=st.booleans())
def test_a_strict_provider_takes_what_was_scrubbed(body: dict[str, Any], ascii: bool, keep_text: bool) -> None:
    flow = tflow.tflow()
    content = json.dumps(body, ensure_ascii=ascii).encode(errors="surrogatepass")
    flow.request = http.Request.make("POST", "http://127.0.0.1:8082/v1/messages?beta=true", content, HEADERS)
    check(flow.request)
    scrubbed = Scrubber(keep_text=keep_text).flow(flow).request
    check(scrubbed)
    assert len(scrubbed.raw_content) == len(content) == int(scrubbed.headers["content-length"])
    after = json.loads(scrubbed.content)
    for name in ("model", "max_tokens", "thinking", "context_management", "tool_choice"):
        assert after[name] == body[name]
    for before, now in zip(body["messages"][1]["content"], after["messages"][1]["content"], strict=True):
        assert now.keys() == before.keys() and now["type"] == before["type"]
    assert after["messages"][2]["content"][1]["cache_control"] == marker["cache_control"]
