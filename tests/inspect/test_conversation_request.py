"""Requests of the Messages API as text."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.inspect.conversation import Body, messages_request, renderer_of

SECOND = 1.0


def shown(body: dict[str, Any]) -> str:
    data = Body(json.dumps(body, ensure_ascii=False).encode())
    renderer = renderer_of(data)
    assert renderer is messages_request
    return renderer.render(data)


def request(*messages: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"model": "claude-opus-4-8", "max_tokens": 64000, "messages": list(messages), **members}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": blocks[0] if len(blocks) == 1 else list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def text(content: str, **members: Any) -> dict[str, Any]:
    return {"type": "text", "text": content, **members}


def section(page: str, title: str) -> str:
    """The page from the heading with this title to the next one."""
    return page.split(f"━━ {title}", 1)[1].split("\n━━ ", 1)[0]


MARK = {"type": "ephemeral"}
LONG_MARK = {"type": "ephemeral", "ttl": "1h", "scope": "global"}


def test_the_head_tells_the_settings_in_words() -> None:
    page = shown(
        request(
            user("hi"),
            stream=True,
            thinking={"type": "enabled", "budget_tokens": 31999},
            output_config={"effort": "high"},
            tool_choice={"type": "tool", "name": "Bash"},
            temperature=0.5,
            metadata={"user_id": "someone"},
        )
    )
    rows = [line.split(maxsplit=1) for line in page.splitlines()[2:9]]
    assert page.startswith("━━ Messages request · claude-opus-4-8 · ")
    assert rows == [
        ["max_tokens", "64,000"],
        ["stream", "yes"],
        ["thinking", "enabled, budget_tokens 31,999"],
        ["output_config", "effort high"],
        ["tool_choice", "tool, name Bash"],
        ["temperature", "0.5"],
        ["metadata", "user_id someone"],
    ]


def test_a_request_to_count_tokens() -> None:
    page = shown({"model": "claude-haiku-4-5", "messages": [user("hi")]})
    assert "none (as in a request to count tokens)" in page


def test_a_body_of_a_platform_names_no_model() -> None:
    assert shown({"anthropic_version": "vertex-2023-10-16", "messages": [user("hi")]}).startswith(
        "━━ Messages request · no model"
    )


def test_sizes_are_those_on_the_wire_and_tokens_a_quarter() -> None:
    body = request(user("x" * 4000))
    length = len(json.dumps(body, ensure_ascii=False).encode())
    assert f"· {length / 1000:.1f} kB · ~{length // 4:,} tokens" in shown(body)


def test_newest_turn_first_then_tools_and_system() -> None:
    body = request(user("one"), assistant(text("two")), user("three"), system="Be kind.", tools=[{"name": "Bash"}])
    page = shown(body)
    places = [page.index(mark) for mark in ("━━ Turn 3", "━━ Turn 2", "━━ Turn 1", "━━ Tools", "━━ System")]
    assert places == sorted(places)
    assert "newest turn first" in page[: places[0]]
    assert "Be kind." in section(page, "System")


def test_the_newest_exchange_is_whole_and_older_texts_are_shortened() -> None:
    long = "\n".join(f"line {number}" for number in range(400))
    page = shown(request(user(long), assistant(text(long)), user(long), assistant(text(long)), user(long)))
    for number in (4, 5):
        assert "line 399" in section(page, f"Turn {number}") and "more characters" not in section(
            page, f"Turn {number}"
        )
    for number in (1, 2, 3):
        assert "line 9 … (" in section(page, f"Turn {number}") and "line 10" not in section(page, f"Turn {number}")
    assert "turns before turn 4 are shortened" in page


def test_what_was_cut_and_what_is_shown_are_the_whole_text() -> None:
    page = shown(request(user("a" * 5000), assistant(text("b")), user("c")))
    assert "a" * 600 + " … (4,400 more characters; see Raw)" in page


def test_a_first_prompt_is_whole() -> None:
    page = shown(request(user(text("a" * 5000)), {"role": "system", "content": "b" * 5000}))
    assert "a" * 5000 in page and "b" * 5000 in page and "shortened" not in page


def test_thinking_tells_the_length_of_its_signature() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "s" * 1234}
    hidden = {"type": "redacted_thinking", "data": "d" * 50}
    page = shown(request(user("q"), assistant(thinking, {**thinking, "signature": ""}, hidden)))
    assert "thinking · signature of 1,234 characters ·" in page and "    hm" in page
    assert "thinking · no signature ·" in page
    assert "redacted_thinking · 50 characters that only the provider can read" in page
    assert "ssss" not in page and "dddd" not in page


def test_tool_calls_are_pretty_and_results_know_their_tool() -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls", "flags": [1]}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a.py\nb.py", "is_error": True}
    page = shown(request(user("q"), assistant(use), user(result, text("and now?"))))
    assert '    {\n      "command": "ls",\n      "flags": [\n        1\n      ]\n    }' in page
    assert "tool_result of Bash · toolu_1 · ERROR ·" in page and "    a.py\n    b.py" in page


def test_an_input_with_texts_of_several_lines_is_written_line_by_line() -> None:
    use = {"type": "tool_use", "id": "t", "name": "Write", "input": {"path": "/a", "content": "def f():\n  pass\n"}}
    page = shown(request(user("q"), assistant(use)))
    assert '    {\n      "path": "/a",\n      "content":\n        │ def f():\n        │   pass\n    }' in page


def test_results_with_several_blocks() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD" * 1000}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [text("see"), image]}
    page = shown(request(user(result)))
    assert "    text\n        see\n    image · image/png, 3.0 kB" in page
    assert "QUJD" not in page and "estimated tokens far too high" in page


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"type": "image", "source": {"type": "url", "url": "https://x.invalid/a.png"}}, "url https://x.invalid/a.png"),
        (
            {"type": "document", "title": "Plan", "source": {"type": "file", "file_id": "file_1"}},
            "Plan · file_id file_1",
        ),
        (
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}},
            "document · application/pdf, 3 B",
        ),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
            "document · text/plain, 5 B",
        ),
        ({"type": "hologram", "depth": 3}, '  hologram · 32 B\n    {\n      "depth": 3\n    }'),
        ("no block at all", '    "no block at all"'),
        ({"no": "type"}, '      "no": "type"'),
    ],
)
def test_other_blocks(block: Any, expected: str) -> None:
    assert expected in shown(request(user(text("a"), block)))


def test_opaque_lines_of_unknown_blocks_are_shortened() -> None:
    page = shown(request(user(text("a"), {"type": "web_search_tool_result", "encrypted_content": "E" * 9000})))
    assert "E" * 300 in page and "E" * 500 not in page and "more characters; see Raw" in page


def test_cache_marks() -> None:
    body = request(
        user(text("a", cache_control=MARK), text("b")),
        system=[text("s"), text("t", cache_control=LONG_MARK)],
        tools=[{"name": "Bash", "description": "\nRuns it.\nMore.", "cache_control": MARK}],
    )
    page = shown(body)
    assert "cache mark 5m\n    a" in section(page, "Turn 1")
    assert "cache mark 1h, scope global\n    t" in section(page, "System · 2 blocks")
    assert section(page, "Tools").splitlines()[2].split()[0] == "Bash"
    assert section(page, "Tools").rstrip().endswith("cache mark 5m · Runs it.")
    assert page[: page.index("━━ Turn")].count("1 cache mark") == 3


def test_tools_of_anthropic_and_deferred_ones() -> None:
    tools = [
        {"type": "web_search_20250305", "name": "web_search"},
        {"type": "custom", "name": "Own", "description": "It.", "defer_loading": True},
    ]
    lines = section(shown(request(user("a"), tools=tools)), "Tools").splitlines()
    assert lines[2].endswith("web_search_20250305") and lines[3].endswith("deferred · It.")


@pytest.mark.parametrize("tools", [None, []])
def test_no_tools(tools: Any) -> None:
    page = shown(request(user("a"), tools=tools))
    assert "tools               none\n" in page and "━━ Tools" not in page


def test_members_that_the_api_does_not_define_are_not_lost() -> None:
    page = shown(request(user("q"), {"role": "assistant", "content": None, "calls": [{"id": "call_1"}]}))
    assert "call_1" in page and "(empty)" in page


def test_only_the_newest_thousand_turns() -> None:
    page = shown(request(*[user(f"turn {number}") for number in range(1, 1203)]))
    assert "1,202 turns" in page and "202 older turns left out; see Raw" in page
    assert "━━ Turn 203 " in page and "━━ Turn 202 " not in page


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"messages": {}, "model": "m"}',
        b'{"messages": [], "model": 1}',
        b'{"messages": []}',
        b'{"model": "m", "messages": [',
        b'"messages"',
        b"\xff\xfe",
        b'{"messages":' * 100_000,
    ],
)
def test_other_bodies_do_not_match(body: bytes) -> None:
    assert renderer_of(Body(body)) is None


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KINDS = ("text", "thinking", "redacted_thinking", "tool_use", "tool_result", "image", "document", "other", 3)
NAMES = (
    "text",
    "thinking",
    "signature",
    "data",
    "id",
    "name",
    "input",
    "tool_use_id",
    "content",
    "source",
    "citations",
)
BLOCKS = st.builds(
    lambda kind, members, mark: {"type": kind, "cache_control": mark, **members},
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(NAMES), JSON_VALUES, max_size=4),
    JSON_VALUES,
)
MESSAGES = JSON_VALUES | st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant", 1]),
    st.lists(BLOCKS, max_size=3) | JSON_VALUES,
)


@given(
    st.lists(MESSAGES, max_size=4),
    st.dictionaries(st.sampled_from(["system", "max_tokens", "thinking"]), JSON_VALUES | st.lists(BLOCKS, max_size=2)),
    st.lists(BLOCKS | JSON_VALUES, max_size=3) | st.none(),
)
def test_any_json_of_the_shape_is_shown(messages: list[Any], members: dict[str, Any], tools: Any) -> None:
    page = shown({"model": "m", "messages": messages, "tools": tools, **members})
    assert page.count("━━ Turn") == len(messages)


def conversation(turns: int, result: str) -> bytes:
    messages: list[dict[str, Any]] = [user("begin")]
    edit = {"file_path": "/x.py", "old_string": "a\nb\n" * 20, "new_string": "c\n" * 20}
    for number in range(turns):
        thought = {"type": "thinking", "thinking": "hm " * 60, "signature": "s" * 400}
        use = {"type": "tool_use", "id": f"t{number}", "name": "Edit", "input": edit}
        messages.append(assistant(thought, text("Let me see."), use))
        messages.append(user({"type": "tool_result", "tool_use_id": f"t{number}", "content": result}, text("on")))
    return json.dumps(request(*messages)).encode()


@pytest.mark.parametrize(
    "body",
    [
        conversation(300, "lorem ipsum dolor\n" * 220),
        conversation(1300, "short"),
        json.dumps(request(user("lorem\n" * 230_000))).encode(),
        json.dumps(request(*[user("x")] * 45_000)).encode(),
    ],
    ids=["usual", "many tools", "one text", "tiny turns"],
)
def test_a_body_of_megabytes_is_fast(body: bytes) -> None:
    """The limit of the issue is 150 ms for 1.5 MB; the best of three is far below it on any machine."""
    assert len(body) > 1_400_000
    best = SECOND
    for _ in range(3):
        begun = time.process_time()
        renderer = renderer_of(Body(body))
        assert renderer is not None
        page = renderer.render(Body(body))
        best = min(best, time.process_time() - begun)
    assert page and best < 0.15
