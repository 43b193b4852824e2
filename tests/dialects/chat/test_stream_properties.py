"""Whatever an answer says and however its server writes it, its client understands the same; whatever bytes come, it
gets a Messages stream."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple
from unittest.mock import patch

import anthropic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dialects.chat.answers import (
    DONE,
    Fields,
    call,
    calls,
    check_grammar,
    chunk,
    completion,
    decoded,
    frame,
    message_of_stream,
    relayed,
    text,
    unsealed,
)
from tests.wire.test_sse import cuts
from tests.wire.test_sse import pieces as cut
from turnout.dialects.chat.message import message_of
from turnout.dialects.messages.reply import ForeignReply

if sys.version_info >= (3, 12):
    import httpx2 as httpx  # what the anthropic SDK uses from 1.0 on
else:
    import httpx


class Called(NamedTuple):
    id: str
    name: str
    given: Fields


class Said(NamedTuple):
    """What an answer says."""

    thoughts: str
    text: str
    calls: list[Called]
    size: int
    """Letters in each piece."""

    @property
    def finish(self) -> str:
        return "tool_calls" if self.calls else "stop"

    @property
    def content(self) -> list[Fields]:
        """As blocks of the Messages API."""
        blocks: list[Fields] = []
        if self.thoughts:
            blocks.append({"type": "thinking", "thinking": self.thoughts, "signature": ""})
        if self.text:
            blocks.append({"type": "text", "text": self.text})
        return blocks + [{"type": "tool_use", "id": id, "name": name, "input": given} for id, name, given in self.calls]

    def cut(self, text: str) -> list[str]:
        return [text[at : at + self.size] for at in range(0, len(text), self.size)]


USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 8}}
COUNTS = {"input_tokens": 12, "cache_read_input_tokens": 8, "cache_creation_input_tokens": 0, "output_tokens": 5}

# --- how servers write it ---


def openai(said: Said) -> list[bytes]:
    frames = [chunk({"role": "assistant", "content": "", "refusal": None}, usage=None)]
    frames += [chunk({"reasoning_content": piece}) for piece in said.cut(said.thoughts)]
    frames += [text(piece) for piece in said.cut(said.text)]
    for index, (id, name, args) in enumerate(said.calls):
        frames.append(calls(call(index, "", id=id, name=name)))
        frames += [calls(call(index, piece)) for piece in said.cut(json.dumps(args))]
    return [*frames, chunk({}, said.finish), frame({"choices": [], "usage": USAGE}), DONE]


def openrouter(said: Said) -> list[bytes]:
    frames = [b": OPENROUTER PROCESSING\n\n"] * 2
    for piece in said.cut(said.thoughts):
        detail = {"type": "reasoning.text", "text": piece, "index": 0, "format": None}
        frames.append(chunk({"content": "", "reasoning": piece, "reasoning_details": [detail]}))
    frames += [chunk({"content": piece, "reasoning": None}) for piece in said.cut(said.text)]
    for index, (id, name, args) in enumerate(said.calls):
        frames += [calls(call(index, piece, id=id, name=name)) for piece in said.cut(json.dumps(args))]
    return [*frames, chunk({"content": ""}, said.finish), chunk({"content": ""}, usage=USAGE), DONE]


def inline(said: Said) -> list[bytes]:
    thoughts = f"\n<think>{said.thoughts}</think>\n\n" if said.thoughts else ""
    frames = [text(piece) for piece in said.cut(thoughts + said.text)]
    if said.calls:
        whole = [call(at, json.dumps(args), id=id, name=name) for at, (id, name, args) in enumerate(said.calls)]
        frames.append(calls(*whole))
    return [*frames, chunk({}, "stop", usage=USAGE)]


def mistral(said: Said) -> list[bytes]:
    frames = []
    for piece in said.cut(said.thoughts):
        part = {"type": "thinking", "thinking": [{"type": "text", "text": piece}]}
        frames.append(chunk({"content": [part]}, usage={"prompt_tokens": 1}))
    frames += [chunk({"content": [{"type": "text", "text": piece}]}) for piece in said.cut(said.text)]
    whole = [call(None, given, id=id, name=name) for id, name, given in said.calls]
    return [*frames, chunk({"content": "", "tool_calls": whole}, said.finish, usage=USAGE), DONE]


def gemini(said: Said) -> list[bytes]:
    frames = [chunk({"reasoning": piece}) for piece in said.cut(said.thoughts)]
    frames += [text(piece) for piece in said.cut(said.text)]
    frames += [calls(call(None, json.dumps(given), id=id, name=name)) for id, name, given in said.calls]
    return [*frames, chunk(None, "stop", x_groq={"usage": USAGE})]


def interleaved(said: Said) -> list[bytes]:
    """All calls at once, a piece of each in turn."""
    frames = [chunk({"reasoning": piece}) for piece in said.cut(said.thoughts)]
    frames += [text(piece) for piece in said.cut(said.text)]
    frames += [calls(call(at, "", id=id, name=name)) for at, (id, name, _) in enumerate(said.calls)]
    rest = [said.cut(json.dumps(given)) for _, _, given in said.calls]
    for turn in range(max(map(len, rest), default=0)):
        frames.append(calls(*(call(at, each[turn]) for at, each in enumerate(rest) if turn < len(each))))
    return [*frames, chunk({}, said.finish), frame({"choices": None, "usage": USAGE}), DONE]


STYLES: list[Callable[[Said], list[bytes]]] = [openai, openrouter, inline, mistral, gemini, interleaved]


def whole(said: Said) -> bytes:
    told = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for id, name, given in said.calls
    ]
    message = {"content": said.text or None, "reasoning_content": said.thoughts, "tool_calls": told or None}
    return completion(message, said.finish, usage=USAGE)


def without_ascii(stream: bytes) -> bytes:
    """The same with its letters as they are, and line ends of another system."""
    lines = []
    for line in stream.split(b"\n"):
        name, colon, data = line.partition(b":")
        plain = line if name != b"data" or data == b" [DONE]" else b"data:" + _plain(data)
        lines.append(plain)
    return b"\r\n".join(lines)


def _plain(data: bytes) -> bytes:
    return json.dumps(json.loads(data), ensure_ascii=False).encode()


words = st.text(max_size=30).map(str.strip).filter(lambda said: "<" not in said)
values = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8) | st.just({"}": ['{"']})
inputs = st.dictionaries(st.text(max_size=4), values, max_size=3)
called = st.lists(
    st.builds(
        Called, st.from_regex(r"[a-z]{1,3}[0-9]{1,4}", fullmatch=True), st.sampled_from(["Bash", "Read"]), inputs
    ),
    max_size=3,
    unique_by=lambda each: each.id,
)
answers = st.builds(Said, words, words, called, st.integers(1, 12))


class TestAnswers:
    @given(answers, st.sampled_from(STYLES), st.booleans(), cuts)
    @settings(max_examples=80, deadline=None)
    def test_it_says_the_same_however_it_is_written_and_cut(
        self, said: Said, style: Callable[[Said], list[bytes]], plain: bool, cuts: list[int]
    ) -> None:
        stream = b"".join(style(said))
        stream = without_ascii(stream) if plain else stream

        check_grammar(decoded(*cut(stream, cuts)))
        message = message_of_stream(*cut(stream, [*cuts, *(3 * at for at in cuts)]))
        assert unsealed(message["content"]) == said.content
        assert message["stop_reason"] == ("tool_use" if said.calls else "end_turn")
        assert {name: message["usage"][name] for name in COUNTS} == COUNTS

    @given(answers)
    @settings(max_examples=30, deadline=None)
    def test_in_one_piece_it_is_the_same_message(self, said: Said) -> None:
        told = json.loads(ForeignReply("claude", seed="s").message(message_of(whole(said))))

        assert told == message_of_stream(*openai(said))

    @pytest.mark.parametrize("style", STYLES)
    def test_the_sdk_puts_the_same_together(self, style: Callable[[Said], list[bytes]]) -> None:
        said = Said("Hm, ü.", "So: 😀", [Called("a", "Bash", {"command": "ls"}), Called("b", "Read", {})], 4)
        body, _ = relayed(*style(said))
        message = ForeignReply("claude", seed="s").message(message_of(whole(said)))

        streamed = put_together(body, "text/event-stream")
        streamed["content"] = unsealed(streamed["content"])
        assert streamed == put_together(message, "application/json")


def put_together(body: bytes, content_type: str) -> Any:
    """The message as the SDK has it in the end."""
    transport = httpx.MockTransport(
        lambda request: httpx.Response(200, headers={"content-type": content_type}, content=body)
    )
    asked: dict[str, Any] = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    with (
        httpx.Client(transport=transport) as http,
        anthropic.Anthropic(api_key="k", base_url="http://x", max_retries=0, http_client=http) as client,
    ):
        if content_type == "application/json":
            return client.messages.create(**asked).to_dict(exclude_none=True)
        with client.messages.stream(**asked) as answer:
            return answer.get_final_message().to_dict(exclude_none=True)


# --- whatever comes ---

odd = st.sampled_from([None, "", "a", " ", "<think>", "</think>", "{", "}", '"x":1', "{}", 0, -1, 2**70, [], {}, True])
parts = st.lists(st.fixed_dictionaries({}, optional={"text": odd, "thinking": odd, "refusal": odd}) | odd, max_size=3)
functions = st.fixed_dictionaries({}, optional={"name": odd, "arguments": odd})
tool_calls = st.lists(
    st.fixed_dictionaries(
        {"function": functions}, optional={"index": st.integers(0, 2) | odd, "id": odd, "extra_content": odd}
    ),
    max_size=3,
)
details = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["reasoning.text", "reasoning.summary", "reasoning.encrypted", 7])},
        optional={"text": odd, "summary": odd, "data": odd, "signature": odd, "index": odd},
    ),
    max_size=3,
)
deltas = st.fixed_dictionaries(
    {},
    optional={
        "content": odd | parts,
        "refusal": odd,
        "reasoning": odd,
        "reasoning_content": odd,
        "reasoning_details": details,
        "tool_calls": tool_calls | odd,
        "function_call": functions | odd,
    },
)
finishes = st.sampled_from([None, None, None, "", "stop", "length", "error", 3])
choices = st.fixed_dictionaries(
    {}, optional={"index": odd, "delta": deltas | odd, "message": deltas, "finish_reason": finishes, "usage": odd}
)
chunks = st.fixed_dictionaries({"choices": st.lists(choices | odd, max_size=2) | odd}, optional={"usage": odd})
usual = st.builds(lambda delta: {"choices": [{"index": 0, "delta": delta}]}, deltas)
frames = st.one_of(
    usual.map(frame),
    usual.map(frame),
    chunks.map(frame),
    st.binary(max_size=20),
    st.sampled_from(
        [DONE, b"data: {\n\n", b"data: [\n\n", b": x\n\n", b"data: " + b"[" * 3000 + b"\n\n", b"\r\n", b"\r"]
    ),
    st.sampled_from(
        [b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n', b'data: {"a":"\xff"}\n\n', b"data:\n\n"]
    ),
)


class TestAnything:
    @given(st.lists(frames, max_size=12), cuts)
    @settings(max_examples=150, deadline=None)
    def test_what_comes_out_is_a_messages_stream(self, frames: list[bytes], cuts: list[int]) -> None:
        stream = b"data: {}\n\n" + b"".join(frames)

        out = _numbered(stream)
        check_grammar(out)
        assert _numbered(*cut(stream, cuts)) == out
        check_grammar(relayed(stream)[0])

    @given(st.binary(max_size=60))
    def test_any_bytes(self, body: bytes) -> None:
        decoded(body)
        message_of(body)

    @given(deltas, finishes, odd)
    @settings(deadline=None)
    def test_a_whole_answer_is_a_message_or_left_alone(self, message: Fields, finish: Any, usage: Any) -> None:
        body = completion(message, finish, usage=usage)
        told = message_of(body)

        assert told is body or json.loads(told)["type"] == "message"


def _numbered(*pieces: bytes) -> bytes:
    """What is made of these pieces, where the ids that are invented are numbers."""
    numbers = count()
    with patch("turnout.dialects.chat.ids.secrets.token_hex", lambda size: f"{next(numbers)}"):
        return decoded(*pieces)
