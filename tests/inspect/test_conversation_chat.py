"""Requests and answers of Chat Completions as text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.inspect.conversation import Body, chat_answer, chat_request, messages_answer, messages_request, renderer_of

USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "Read", "description": "Reads.\nMore.", "parameters": {}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "Read", "arguments": '{"path":"a"}'}}


def request(*messages: dict[str, Any], **members: Any) -> bytes:
    return json.dumps({"model": "gpt-6-sol", "messages": messages, **members}).encode()


def shown(data: bytes, renderer: object = chat_request) -> str:
    body = Body(data, "")
    found = renderer_of(body)
    assert found is renderer
    return found.render(body)


def section(page: str, title: str) -> str:
    return page.split(f"━━ {title}", 1)[1].split("\n━━ ", 1)[0]


@pytest.mark.parametrize(
    "body",
    [
        request(USER, stream_options={}),
        request(USER, max_completion_tokens=5),
        request(USER, tools=[TOOL]),
        request({"role": "system", "content": "x"}, USER),
        request(USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}),
        request(USER, {"role": "tool", "tool_call_id": "x", "content": "x"}),
    ],
)
def test_one_sign_is_enough(body: bytes) -> None:
    assert renderer_of(Body(body)) is chat_request


@pytest.mark.parametrize(
    "body",
    [
        request(USER),
        request(USER, system="s", tools=[{"name": "f", "input_schema": {"properties": {"function": {}}}}]),
        request(USER, stop_sequences=["x"], tools=[TOOL]),
        request(USER, tools=[{"name": "function", "input_schema": {"properties": {"function": {}}}}]),
        request(USER, {"role": "system", "content": "x"}),
        request({"role": "user", "content": [{"type": "tool_use", "input": {"tool_calls": [], "role": "tool"}}]}),
    ],
)
def test_requests_of_the_messages_api_are_shown_as_such(body: bytes) -> None:
    assert renderer_of(Body(body)) is messages_request


@pytest.mark.parametrize("messages", ['"x"', "[1]", '[{"role": "user"}', '[{"role": "system", "content": "\xff"}]'])
def test_what_cannot_be_read_is_no_trouble(messages: str) -> None:
    renderer_of(Body(f'{{"model": "m", "messages": {messages}}}'.encode("latin-1")))


def test_the_head_and_the_parts() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "QUJD" * 1000}}
    page = shown(
        request(
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": [{"type": "text", "text": "look"}, image]},
            tools=[TOOL],
            reasoning_effort="high",
            stream=True,
            max_completion_tokens=64000,
            tool_choice={"type": "function", "function": {"name": "Read"}},
        )
    )
    rows = [line.split(maxsplit=1) for line in page.splitlines()[2:6]]
    assert page.startswith("━━ Chat request · gpt-6-sol · ")
    assert rows[:3] == [["max_completion_tokens", "64,000"], ["stream", "yes"], ["reasoning_effort", "high"]]
    assert "Be kind." in section(page, "System · 1 block") and "Read" in section(page, "Tools · 1 ·")
    assert section(page, "Tools").rstrip().endswith(" B  Reads.")
    assert "image · image/png, 3.0 kB" in section(page, "Turn 1 · user") and "estimated tokens far too high" in page
    assert page.index("━━ Turn 1") < page.index("━━ Tools") < page.index("━━ System") and "QUJD" not in page


def test_a_turn_with_tools() -> None:
    detail = {"type": "reasoning.encrypted", "data": "E" * 9000}
    said = {"role": "assistant", "content": None, "reasoning_content": "Hm.", "reasoning_details": [detail]}
    cut = {"id": "call_2", "type": "function", "function": {"name": "Read", "arguments": '{"pa'}}
    extra = {"extra_content": {"google": {"thought_signature": "abc"}}}
    page = shown(
        request(
            USER,
            {**said, "tool_calls": [{**CALL, **extra}, cut]},
            {"role": "tool", "tool_call_id": "call_1", "content": "A\nB"},
            {"role": "user", "content": "and?", "name": "ada"},
        )
    )
    turn = section(page, "Turn 2 · assistant")
    assert "thinking · no signature · 5 B\n    Hm." in turn and "more characters" in turn
    assert 'tool_use Read · call_1 · {"extra_content"' in turn and '    {\n      "path": "a"\n    }' in turn
    assert 'call_2 · INPUT CUT SHORT · 88 B\n    {"pa' in turn
    assert "tool_result of Read · call_1 · 6 B\n    A\n    B" in section(page, "Turn 3 · tool")
    assert '"name": "ada"' in section(page, "Turn 4 · user")


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"type": "image_url", "image_url": {"url": "https://x.invalid/a", "detail": "low"}},
            "url https://x.invalid/a",
        ),
        (
            {"type": "file", "file": {"filename": "P", "file_data": "data:application/pdf;base64,AAAA"}},
            "P · applicati",
        ),
        ({"type": "file", "file": {"file_id": "file-1"}}, "file-1"),
        ({"type": "input_audio", "input_audio": {"format": "mp3"}}, '"format": "mp3"'),
        ({"type": "refusal", "refusal": "No."}, '"refusal": "No."'),
    ],
)
def test_other_parts(part: Any, expected: str) -> None:
    assert expected in shown(request({"role": "user", "content": [part]}, n=1))


def test_only_the_newest_thousand_turns() -> None:
    page = shown(request({"role": "system", "content": "s"}, *[USER] * 1500))
    assert "━━ Turn 1500 ·" in page and "━━ Turn 501 ·" in page and "━━ Turn 500 ·" not in page
    assert "500 older turns left out; see Raw" in page


# --- answers ---


def chunk(*, usage: Any = None, finish: str | None = None, **delta: Any) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}] if delta or finish else []
    data = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-6", "choices": choices}
    return b"data: " + json.dumps({**data, "usage": usage}).encode() + b"\n\n"


STREAM = [
    b": PROCESSING\n\n",
    chunk(role="assistant", reasoning_content="Hm."),
    chunk(content="Hel"),
    chunk(content="lo."),
    chunk(tool_calls=[{"index": 0, **CALL}]),
    chunk(finish="tool_calls"),
    chunk(usage={"prompt_tokens": 25, "completion_tokens": 15, "prompt_tokens_details": {"cached_tokens": 5}}),
    b"data: [DONE]\n\n",
]


def test_a_stream_is_read_as_one_message() -> None:
    page = shown(b"".join(STREAM), chat_answer)
    assert page.startswith("━━ Chat answer · gpt-6 · ") and "CUT OFF" not in page
    for words in (
        "stop reason         tool_use · finish_reason tool_calls\n",
        "20 input · 5 cached · 15 output\n",
        '"prompt_tokens":25',
        "form                stream of 7 events\n",
        "    Hello.\n",
        "tool_use Read · call_1\n",
        "  5  chunk\n  1  chunk without a choice\n  1  [DONE]\n",
    ):
        assert words in page
    assert page.index("Hm.") < page.index("Hello.")


def test_a_stream_that_is_cut_off() -> None:
    page = shown(b"".join(STREAM[:4]), chat_answer)
    assert " · CUT OFF ━" in page and "the stream ends without a finish reason" in page and "Hello." in page


@pytest.mark.parametrize(("before", "title"), [(STREAM[:3], "ENDS IN AN ERROR"), ([], "━━ Error ·")])
def test_a_stream_that_ends_in_an_error(before: list[bytes], title: str) -> None:
    page = shown(b"".join(before) + b'data: {"error":{"message":"gone","code":502}}\n\n', chat_answer)
    assert title in page and "    gone\n" in page and "  1  error" in page and "CUT OFF" not in page


def test_an_answer_in_one_piece() -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}
    whole = {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": {"prompt_tokens": 3}}
    page = shown(json.dumps(whole).encode(), chat_answer)
    assert page.startswith("━━ Chat answer · m · ") and "Hello." in page and "one piece of JSON" in page
    assert "end_turn · finish_reason stop" in page


@pytest.mark.parametrize(
    ("error", "renderer"),
    [
        ({"error": {"message": "No.", "code": "invalid_api_key"}}, chat_answer),
        ({"type": "error", "error": {"type": "x", "message": "No."}}, messages_answer),
        ({"error": {"message": "No."}}, None),
        ({"error": "No."}, None),
        ({"error": None, "message": "x", "choices": [], "object": "text_completion"}, None),
    ],
)
def test_errors(error: Any, renderer: object) -> None:
    body = Body(json.dumps(error).encode())
    assert renderer_of(body) is renderer
    if renderer is chat_answer:
        assert "━━ Error ·" in shown(body.data, chat_answer) and "invalid_api_key" in shown(body.data, chat_answer)


def test_words_about_the_api_in_a_messages_stream_do_not_count() -> None:
    said = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": '"choices": [] data: {"error":'}}
    body = f"event: content_block_delta\ndata: {json.dumps(said)}\n\n".encode()
    assert renderer_of(Body(body)) is messages_answer
