"""A streamed answer of Chat Completions as the events of a Messages stream, with all that servers do differently."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dialects.chat.answers import (
    DONE,
    answer_of,
    call,
    calls,
    check_grammar,
    chunk,
    completion,
    content_of,
    decoded,
    error_of,
    events_of,
    frame,
    message_of_stream,
    relayed,
    text,
    unsealed,
)
from turnout.dialects.chat.seal import Seal, opened
from turnout.dialects.chat.stream import ChatDecoder
from turnout.dialects.messages.stream import LONGEST_COMPLETED

Block = dict[str, Any]

STOP = chunk({}, "stop")


def said(words: str) -> Block:
    return {"type": "text", "text": words}


def thought(words: str, signature: str = "") -> Block:
    return {"type": "thinking", "thinking": words, "signature": signature}


def used(name: str, given: Any, id: str) -> Block:
    return {"type": "tool_use", "id": id, "name": name, "input": given}


def ending(finish: str, *before: bytes) -> str:
    return str(message_of_stream(*before, chunk({}, finish), DONE)["stop_reason"])


class TestBeginning:
    @pytest.mark.parametrize(
        "first",
        [
            chunk({"role": "assistant"}),
            chunk({"role": "assistant", "content": ""}),
            chunk(),
            frame({"choices": [], "prompt_filter_results": []}),
            frame({"choices": None, "object": "chat.completion.chunk"}),
            frame({"choices": [{"index": 0, "delta": None}]}),
            frame({"object": "chat.completion.chunk"}),
            frame({"usage": {"prompt_tokens": 1}}),
        ],
    )
    def test_the_first_chunk_starts_the_message(self, first: bytes) -> None:
        assert [name for name, _ in events_of(ChatDecoder().feed(first))] == ["message_start"]

    def test_the_message_is_started_once(self) -> None:
        names = [name for name, _ in events_of(decoded(chunk({"role": "assistant"}), text("a"), text("b"), STOP, DONE))]

        assert names.count("message_start") == 1

    def test_what_ends_before_it_began_is_no_answer(self) -> None:
        assert decoded(DONE) == b""

    @pytest.mark.parametrize(
        "foreign",
        [
            b"<html>\n\n<h1>502 Bad Gateway</h1>\n\n</html>",
            b'\n{"error":{"message":"no such model"}}',
            b'{\n\n"choices": []}',
            b"\x1f\x8b\x08\0",
        ],
    )
    def test_what_is_no_stream_is_passed_on_as_it_is(self, foreign: bytes) -> None:
        decoder = ChatDecoder()
        assert b"".join(decoder.feed(foreign[at : at + 1]) for at in range(len(foreign))) == foreign
        assert decoder.finish() == b""

    @pytest.mark.parametrize(
        "other",
        [
            b'event: message_start\ndata: {"type":"message_start","message":{}}\n\n',
            b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":1}}\n\n',
            b'data: {"code":500,"msg":"404 NOT_FOUND","success":false}\n\n',
            b'event: ping\ndata: {"type":"ping"}\n\n',
            b"data: no JSON\n\n",
            b'data: {"tool_calls":\n\n',
            b"event: ping\ndata:\n\n",
            b'data: "text"\n\n',
            b"id: 7\n\n",
            b": OPENROUTER PROCESSING\n\n",
            b"\n",
        ],
    )
    def test_frames_that_are_no_chunk_are_left_to_others(self, other: bytes) -> None:
        assert ChatDecoder().feed(other) == other

    @pytest.mark.parametrize("empty", [b"data:\n\n", b"data: \r\n\r\n", b"event: message\ndata:  \n\n"])
    def test_data_without_anything_is_a_sign_of_life(self, empty: bytes) -> None:
        assert ChatDecoder().feed(empty + b": x\n\n") == b":\n\n: x\n\n"


class TestFraming:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"data: ", b"data:"),
            (b"\n", b"\r\n"),
            (b"\n", b"\r"),
            (b"data: ", b"event: message\ndata: "),
            (b"data: ", b"event: chunk\nid: 1\nretry: 10\ndata: "),
            (b"data: ", b": comment\ndata: "),
            (b'{"id"', b'{\ndata: "id"'),
            (b'{"id"', b'{\rdata: "id"'),
        ],
    )
    def test_however_events_are_written(self, old: bytes, new: bytes) -> None:
        stream = b"".join([chunk({"role": "assistant"}), text("Hallo "), text("Welt"), STOP, DONE])

        assert content_of(stream.replace(old, new)) == [said("Hallo Welt")]

    def test_a_byte_order_mark(self) -> None:
        assert content_of(b"\xef\xbb\xbf" + text("a"), STOP, DONE) == [said("a")]

    def test_letters_that_are_cut_in_two(self) -> None:
        stream = "".join([f'data: {{"choices":[{{"delta":{{"content":"{word}"}}}}]}}\n\n' for word in "äß€😀"]).encode()
        stream += STOP + DONE

        assert content_of(*(stream[at : at + 1] for at in range(len(stream)))) == [said("äß€😀")]

    def test_halves_of_a_surrogate_pair(self) -> None:
        halves = [b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n', text("x").replace(b'"x"', b'"\\ude00"')]
        body, _ = relayed(*halves, STOP, DONE)

        pieces = [data["delta"]["text"] for name, data in events_of(body) if name == "content_block_delta"]
        assert "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16") == "😀"

    def test_comments_stay_between_the_events(self) -> None:
        out = decoded(text("a"), b": OPENROUTER PROCESSING\n\n", text("b"), STOP, DONE)

        assert out.count(b"\n\n: OPENROUTER PROCESSING\n\n") == 1
        check_grammar(out)

    def test_members_of_other_types_than_they_should_have(self) -> None:
        odd = [
            frame({"choices": [{"index": None, "delta": {"content": 5, "role": 1, "tool_calls": "no"}}, 7]}),
            frame(
                {"choices": {"index": "0", "delta": {"content": ["a", {"text": "b"}, {"text": 3}]}}, "usage": "none"}
            ),
            frame({"choices": [{"delta": {"tool_calls": {"index": "0", "id": 4, "function": {"name": "f"}}}}]}),
            frame({"choices": [{"delta": "x", "finish_reason": 3}]}),
        ]
        content = content_of(*odd, DONE)

        assert content[0] == said("ab")
        assert content[1]["name"] == "f" and content[1]["input"] == {}

    def test_only_the_first_choice_counts(self) -> None:
        other = {"index": 1, "delta": {"content": "no"}, "finish_reason": "length"}
        first = {"index": 0, "delta": {"content": "yes"}}

        message = message_of_stream(frame({"choices": [other, first]}), frame({"choices": [other]}), STOP, DONE)
        assert message["content"] == [said("yes")] and message["stop_reason"] == "end_turn"

    def test_an_event_in_two_pieces_of_which_each_could_be_one(self) -> None:
        decoder = ChatDecoder()

        assert decoder.feed(b'data: {"choices":\n') == b""
        assert b"message_start" in decoder.feed(b"data: []}\n\n")

    def test_what_follows_the_end_may_be_as_long_as_it_likes(self) -> None:
        out = decoded(text("a") + STOP + DONE + b"data: " + b"x" * LONGEST_COMPLETED)

        assert events_of(out)[-1][0] == "message_stop"

    def test_an_endless_event_is_given_up(self) -> None:
        decoder = ChatDecoder()
        decoder.feed(text("a"))

        out = decoder.feed(b"data: " + b"x" * LONGEST_COMPLETED)
        assert [name for name, _ in events_of(out)] == ["error"]
        assert decoder.feed(b"\n\n" + text("b")) == decoder.finish() == b""


class TestTextAndThoughts:
    @pytest.mark.parametrize(
        "member",
        [
            lambda words: {"reasoning_content": words},
            lambda words: {"reasoning": words, "content": None},
            lambda words: {"reasoning": words, "reasoning_content": words},
            lambda words: {"reasoning": words, "reasoning_details": [{"type": "reasoning.text", "text": words}]},
            lambda words: {"reasoning_details": [{"type": "reasoning.summary", "summary": words, "index": 0}]},
            lambda words: {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": words}]}]},
            lambda words: {"content": [{"type": "thinking", "thinking": words}], "reasoning": ""},
        ],
    )
    def test_thoughts_by_whatever_name(self, member: Any) -> None:
        stream = [chunk(member("Let me ")), chunk(member("see.")), text("Done"), STOP, DONE]

        assert unsealed(content_of(*stream)) == [thought("Let me see."), said("Done")]

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("<think>Hm.</think>\n\nYes", [thought("Hm."), said("Yes")]),
            ("\n <think>\nHm.\n</think>Yes", [thought("\nHm.\n"), said("Yes")]),
            ("<thought>Hm.</thought>Yes", [thought("Hm."), said("Yes")]),
            ("<think>a </th </thinks> < b</think>Yes", [thought("a </th </thinks> < b"), said("Yes")]),
            ("<think>\n\n</think>\n\nYes", [said("Yes")]),
            ("<think></think>", []),
            ("<think>no end </thi", [thought("no end </thi")]),
            ("<think>a</think>b<think>c</think>", [thought("a"), said("b<think>c</think>")]),
            ("Say <think>a</think>", [said("Say <think>a</think>")]),
            ("<thin", [said("<thin")]),
            ("  <b>", [said("  <b>")]),
            (" \n", []),
        ],
    )
    @pytest.mark.parametrize("size", [1, 3, 100])
    def test_thoughts_at_the_beginning_of_the_text(self, content: str, expected: list[Block], size: int) -> None:
        pieces = [text(content[at : at + size]) for at in range(0, len(content), size)]

        assert content_of(*pieces, STOP, DONE) == expected

    def test_text_is_passed_on_as_it_comes(self) -> None:
        decoder = ChatDecoder()
        decoder.feed(text("a"))

        assert b'"text":"b"' in decoder.feed(text("b"))

    def test_blank_text_makes_no_block(self) -> None:
        stream = [chunk({"reasoning": "a"}), text("\n"), chunk({"reasoning": "b"}), text("\n"), text("\nYes")]

        assert content_of(*stream, STOP, DONE) == [thought("ab"), said("\n\n\nYes")]

    def test_a_list_of_parts(self) -> None:
        parts = [
            {"type": "text", "text": "a"},
            {"type": "reference", "reference_ids": [1]},
            {"type": "text", "text": "b"},
        ]

        assert content_of(chunk({"content": parts}), STOP, DONE) == [said("ab")]

    def test_what_may_be_a_tag_comes_before_the_refusal(self) -> None:
        assert content_of(text("<"), chunk({"refusal": "No."}), STOP, DONE) == [said("<No.")]

    @pytest.mark.parametrize("delta", [{"refusal": "No."}, {"content": [{"type": "refusal", "refusal": "No."}]}])
    def test_a_refusal_is_told_as_text(self, delta: Block) -> None:
        message = message_of_stream(chunk(delta), STOP, DONE)

        assert message["content"] == [said("No.")] and message["stop_reason"] == "refusal"

    def test_content_beside_the_reason(self) -> None:
        message = message_of_stream(chunk({"content": "all"}, "length"), DONE)

        assert message["content"] == [said("all")] and message["stop_reason"] == "max_tokens"

    def test_an_answer_without_anything(self) -> None:
        message = message_of_stream(chunk({"role": "assistant", "content": ""}), STOP, DONE)

        assert message["content"] == [] and message["stop_reason"] == "end_turn"


A, B = used("f", {"x": 1}, "a"), used("g", {"y": [2]}, "b")


class TestCalls:
    @pytest.mark.parametrize(
        "stream",
        [
            # as OpenAI sends them
            [
                calls(call(0, "", id="a", name="f")),
                calls(call(0, '{"x"')),
                calls(call(0, ":1}")),
                calls(call(1, "", id="b", name="g")),
                calls(call(1, '{"y":[2]}')),
            ],
            # id and name later, and one by one
            [
                calls(call(0, id="a")),
                calls(call(0, name="f")),
                calls(call(0, '{"x":1}')),
                calls(call(1, name="g")),
                calls(call(1, id="b")),
                calls(call(1, '{"y":[2]}')),
            ],
            # the function only after its arguments
            [
                calls(call(0, '{"x":1}', id="a")),
                calls(call(0, name="f")),
                calls(call(1, '{"y":[2]}', id="b", name="g")),
            ],
            # id and name in every chunk
            [
                calls(call(0, '{"x"', id="a", name="f")),
                calls(call(0, ":1}", id="a", name="f")),
                calls(call(0, "", id="a", name="f")),
                calls(call(1, '{"y":', id="b", name="g")),
                calls(call(1, "[2]}", id="b", name="g")),
            ],
            # an id of its own for every piece (older vLLM)
            [
                calls(call(0, "", id="a", name="f")),
                calls(call(0, '{"x"', id="a1")),
                calls(call(0, ":1}", id="a2")),
                calls(call(1, "", id="b", name="g")),
                calls(call(1, '{"y":[2]}', id="b1")),
            ],
            # as before, and the name with every piece
            [
                calls(call(0, '{"x"', id="a", name="f")),
                calls(call(0, ":1}", id="a1", name="f")),
                calls(call(1, '{"y":', id="b", name="g")),
                calls(call(1, "[2]}", id="b1", name="g")),
            ],
            # whole, all in one chunk
            [calls(call(0, '{"x":1}', id="a", name="f"), call(1, '{"y":[2]}', id="b", name="g"))],
            # without an index, in one chunk and in chunks of their own (Gemini)
            [calls(call(None, '{"x":1}', id="a", name="f"), call(None, '{"y":[2]}', id="b", name="g"))],
            [calls(call(None, '{"x":1}', id="a", name="f")), calls(call(None, '{"y":[2]}', id="b", name="g"))],
            # without an index, in pieces
            [
                calls(call(None, id="a", name="f")),
                calls(call(None, '{"x"')),
                calls(call(None, ":1}", id="a")),
                calls(call(None, "", id="b")),
                calls(call(None, name="g")),
                calls(call(None, '{"y":[2]}')),
            ],
            # without an index, both at once
            [
                calls(call(None, '{"x"', id="a", name="f")),
                calls(call(None, '{"y"', id="b", name="g")),
                calls(call(None, ":1}", id="a")),
                calls(call(None, ":[2]}", id="b")),
            ],
            # all of them number 0
            [calls(call(0, '{"x":1}', id="a", name="f")), calls(call(0, '{"y":[2]}', id="b", name="g"))],
            # numbers as texts
            [
                calls(call(0, '{"x"', id="a", name="f") | {"index": "0"}),
                calls(call(1, '{"y":', id="b", name="g") | {"index": "1"}),
                calls(call(0, ":1}") | {"index": "0"}),
                calls(call(1, "[2]}") | {"index": "1"}),
            ],
            # arguments as an object
            [calls(call(0, {"x": 1}, id="a", name="f")), calls(call(1, {"y": [2]}, id="b", name="g"))],
            # arguments as JSON of JSON
            [
                calls(call(0, '"{\\"x\\":', id="a", name="f")),
                calls(call(0, '1}"')),
                calls(call(1, '{"y":[2]}', id="b", name="g")),
            ],
            # pieces for the older call when the newer has begun
            [
                calls(call(0, "", id="a", name="f")),
                calls(call(1, '{"y"', id="b", name="g")),
                calls(call(0, '{"x"')),
                calls(call(1, ":[2]")),
                calls(call(0, ":1}"), call(1, "}")),
                calls(call(0, "\n")),
            ],
            # a newer call that has to wait for a name, and another behind it
            [
                calls(call(0, '{"x":1', id="a", name="f")),
                calls(call(1, '{"y":[2]}', id="b")),
                calls(call(0, "}")),
                calls(call(1, name="g")),
            ],
        ],
    )  # fmt: skip
    def test_two_calls_however_they_come(self, stream: list[bytes]) -> None:
        check_grammar(decoded(*stream, chunk({}, "tool_calls"), DONE))
        message = message_of_stream(*stream, chunk({}, "tool_calls"), DONE)

        assert message["content"] == [A, B]
        assert message["stop_reason"] == "tool_use"

    def test_calls_of_the_same_function_without_ids(self) -> None:
        first, second = content_of(
            calls(call(None, '{"x":1}', name="f")), calls(call(None, '{"x":2}', name="f")), STOP, DONE
        )

        assert (first["name"], first["input"], second["name"], second["input"]) == ("f", {"x": 1}, "f", {"x": 2})
        assert first["id"] != second["id"] and first["id"].startswith("toolu_")

    @pytest.mark.parametrize("index", [None, 0])
    def test_calls_without_arguments_or_ids(self, index: int | None) -> None:
        blocks = content_of(calls(call(index, "", name="f")), calls(call(index, "", name="g")), STOP, DONE)

        assert [(block["name"], block["input"]) for block in blocks] == [("f", {}), ("g", {})]

    def test_a_name_that_is_told_again_is_no_call(self) -> None:
        (block,) = content_of(calls(call(0, '{"x":1}', name="f")), calls(call(0, "", name="f")), STOP, DONE)

        assert block["input"] == {"x": 1}

    @pytest.mark.parametrize("arguments", [None, "", " ", "null", '""', "[]", "{}", {}])
    def test_a_call_without_arguments(self, arguments: Any) -> None:
        assert content_of(calls(call(0, arguments, id="a", name="f")), STOP, DONE) == [used("f", {}, "a")]

    @pytest.mark.parametrize(("arguments", "given"), [("[1, 2]", [1, 2]), ('"ls"', "ls"), (" 7", 7), ([1], [1])])
    def test_arguments_that_are_no_object(self, arguments: Any, given: Any) -> None:
        assert content_of(calls(call(0, arguments, id="a", name="f")), STOP, DONE) == [used("f", {"input": given}, "a")]

    @pytest.mark.parametrize("arguments", ['{"x":1', '{"x":"a\nb"}', "ls -l"])
    def test_arguments_that_are_no_json_are_the_clients_to_judge(self, arguments: str) -> None:
        (block,) = content_of(calls(call(0, arguments, id="a", name="f")), chunk({}, "tool_calls"), DONE)

        assert block["partial_input"] == arguments

    @pytest.mark.parametrize("rest", [['{"x":1}'], [" ", '{"x":', "1}"]])
    def test_an_empty_object_before_the_arguments(self, rest: list[str]) -> None:
        pieces = [calls(call(0, piece)) for piece in rest]
        told = content_of(calls(call(0, "{}", id="a", name="f")), *pieces, STOP, DONE)

        assert told == [{"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}]

    def test_the_older_form(self) -> None:
        stream = [
            chunk({"function_call": {"name": "f", "arguments": ""}}),
            chunk({"function_call": {"arguments": '{"x":1}'}}),
            chunk({}, "function_call"),
            DONE,
        ]
        message = message_of_stream(*stream)

        assert message["content"] == [used("f", {"x": 1}, message["content"][0]["id"])]
        assert message["stop_reason"] == "tool_use"

    def test_the_older_form_beside_the_newer_is_no_second_call(self) -> None:
        both = {"tool_calls": [call(0, '{"x":1}', id="a", name="f")], "function_call": {"name": "f", "arguments": "{}"}}

        assert content_of(chunk(both), STOP, DONE) == [A]

    def test_ids_that_anthropic_takes(self) -> None:
        decoder = ChatDecoder(["call_0"])
        out = decoder.feed(calls(call(0, "{}", id="functions.Bash:0", name="f"), call(1, "{}", id="call_0", name="f")))
        ids = [data["content_block"]["id"] for name, data in events_of(out) if name == "content_block_start"]

        assert ids[0].startswith("tc64_") and ids[1].startswith("toolu_")

    def test_arguments_are_passed_on_as_they_come(self) -> None:
        decoder = ChatDecoder()
        decoder.feed(calls(call(0, "", id="a", name="f")))

        assert b"input_json_delta" in decoder.feed(calls(call(0, '{"x":')))
        assert b'"partial_json":"1"' in decoder.feed(calls(call(0, "1")))

    def test_a_whole_call_lets_the_next_one_in(self) -> None:
        decoder = ChatDecoder()
        decoder.feed(calls(call(0, "{}", id="a", name="f")))

        assert b'"name":"g"' in decoder.feed(calls(call(1, "{", id="b", name="g")))
        assert decoder.feed(calls(call(2, "{", id="c", name="h"))) == b""
        assert b'"name":"h"' in decoder.feed(calls(call(1, "}")))

    def test_text_behind_a_call_waits_for_its_end(self) -> None:
        begun, rest = calls(call(0, '{"x":{"y":1}', id="a", name="f")), calls(call(0, "}"))
        stream = [text("a"), begun, text("b"), text(" c"), rest]

        check_grammar(decoded(*stream, STOP, DONE))
        assert content_of(*stream, STOP, DONE) == [said("a"), used("f", {"x": {"y": 1}}, "a"), said("b c")]

    def test_blank_text_between_calls_is_none(self) -> None:
        one, two = calls(call(0, '{"x":1}', id="a", name="f")), calls(call(1, '{"y":[2]}', id="b", name="g"))

        assert content_of(text("\n\n"), one, text("\n"), two, text("\n"), STOP, DONE) == [A, B]

    def test_what_may_be_a_tag_comes_before_the_call(self) -> None:
        stream = [text("<"), calls(call(0, '{"x":1}', id="a", name="f")), text("<think>b")]

        assert content_of(*stream, STOP, DONE) == [said("<"), A, said("<think>b")]

    @pytest.mark.parametrize(
        ("stream", "words"),
        [
            ([calls(call(0, '{"x":1}')), STOP], "no name"),
            ([calls(call(0, '{"x":', id="a", name="f"))], "inside a tool call"),
            (
                [calls(call(0, "{}", id="a", name="f"), call(1, "{}", id="b", name="g")), calls(call(0, "1"))],
                "after its end",
            ),
            ([calls(call(0, '{"x":', id="a", name="f")), b"data: {broken\n\n"], "cannot be read"),
            ([calls(call(0, "{}", id="a")), b"data: {broken\n\n"], "cannot be read"),
            ([text("a"), b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,\n\n'], "cannot be read"),
        ],
    )
    def test_a_call_that_cannot_be_made_whole_ends_the_answer(self, stream: list[bytes], words: str) -> None:
        assert words in error_of(*stream, DONE)["error"]["message"]
        check_grammar(decoded(*stream, DONE, text("more")))

    def test_a_broken_chunk_elsewhere_is_a_lost_event(self) -> None:
        assert content_of(text("a"), b"data: {broken\n\n", text("b"), STOP, DONE) == [said("ab")]

    def test_a_broken_chunk_behind_a_whole_call_tears_the_stream(self) -> None:
        _, stream = relayed(calls(call(0, "{}", id="a", name="f")), b"data: {broken\n\n", STOP, DONE)

        assert stream.torn


SIGNED = {"google": {"thought_signature": "AbC="}}


class TestWhatIsGivenBack:
    """Gemini's thought signatures and OpenRouter's encrypted thoughts are carried by thinking blocks."""

    def test_before_a_call(self) -> None:
        one = call(None, '{"x":1}', id="a", name="f") | {"extra_content": SIGNED}
        seal, used_a, used_b = content_of(calls(one), calls(call(None, '{"y":[2]}', id="b", name="g")), STOP, DONE)

        assert (used_a, used_b, seal["thinking"]) == (A, B, "")
        assert opened(seal["signature"]) == Seal(calls={"a": SIGNED})

    def test_in_the_thoughts_before_a_call(self) -> None:
        one = call(0, '{"x":1}', id="x:1", name="f") | {"extra_content": SIGNED}
        thoughts, block = content_of(chunk({"reasoning": "Hm."}), calls(one), STOP, DONE)

        assert thoughts["thinking"] == "Hm."
        assert opened(thoughts["signature"]) == Seal(calls={block["id"]: SIGNED})

    def test_what_comes_when_the_call_has_begun(self) -> None:
        late = call(0, ":1}") | {"extra_content": SIGNED}
        used_a, seal = content_of(calls(call(0, '{"x"', id="a", name="f")), calls(late), STOP, DONE)

        assert used_a == A and opened(seal["signature"]) == Seal(calls={"a": SIGNED})

    @pytest.mark.parametrize(
        ("elements", "kept"),
        [
            ([{"type": "reasoning.text", "text": "ab"}], [{"type": "reasoning.text", "text": "ab"}]),
            (
                [
                    {"type": "reasoning.text", "text": "a", "index": 0, "format": "f"},
                    {"type": "reasoning.text", "text": "b", "index": 0, "signature": None, "format": None},
                    {"type": "reasoning.text", "signature": "s", "index": 0},
                ],
                [{"type": "reasoning.text", "text": "ab", "index": 0, "format": "f", "signature": "s"}],
            ),
            (
                [
                    {"type": "reasoning.text", "text": "a", "signature": "s"},
                    {"type": "reasoning.text", "text": "b", "signature": "t"},
                ],
                [
                    {"type": "reasoning.text", "text": "a", "signature": "s"},
                    {"type": "reasoning.text", "text": "b", "signature": "t"},
                ],
            ),
            (
                [
                    {"type": "reasoning.summary", "summary": "a", "index": 0},
                    {"type": "reasoning.summary", "summary": "b", "index": 1},
                    {"type": "reasoning.encrypted", "data": "x", "index": 2},
                    {"type": "reasoning.encrypted", "data": "y", "index": 2},
                ],
                [
                    {"type": "reasoning.summary", "summary": "a", "index": 0},
                    {"type": "reasoning.summary", "summary": "b", "index": 1},
                    {"type": "reasoning.encrypted", "data": "x", "index": 2},
                    {"type": "reasoning.encrypted", "data": "y", "index": 2},
                ],
            ),
        ],
    )
    def test_details_of_thoughts(self, elements: list[Block], kept: list[Block]) -> None:
        each = [
            chunk({"reasoning_details": [element], "reasoning": element.get("text") or element.get("summary")})
            for element in elements
        ]
        thoughts, _ = content_of(*each, text("x"), STOP, DONE)

        assert thoughts["thinking"] == "ab"
        assert opened(thoughts["signature"]) == Seal(details=kept)

    def test_encrypted_thoughts_alone_come_first(self) -> None:
        hidden = {"type": "reasoning.encrypted", "data": "x"}
        seal, answer = content_of(chunk({"reasoning_details": [hidden]}), text("Yes"), STOP, DONE)

        assert seal["thinking"] == "" and opened(seal["signature"]) == Seal(details=[hidden])
        assert answer == said("Yes")

    def test_encrypted_thoughts_behind_the_text(self) -> None:
        hidden = {"type": "reasoning.encrypted", "data": "x"}
        answer, seal = content_of(text("Yes"), chunk({"reasoning_details": [hidden]}), STOP, DONE)

        assert answer == said("Yes") and opened(seal["signature"]) == Seal(details=[hidden])

    def test_what_cannot_be_written_is_not_carried(self) -> None:
        odd = b'{"type":"reasoning.encrypted","data":"\\ud83d"}'
        half = b'data: {"choices":[{"delta":{"reasoning":"a","reasoning_details":[' + odd + b"]}}]}\n\n"

        assert content_of(half, STOP, DONE) == [thought("a")]

    def test_the_decoder_tells_them(self) -> None:
        decoder = ChatDecoder()
        signed = call(0, '{"x":1}', id="a", name="f") | {"extra_content": SIGNED}
        for each in (chunk({"reasoning": "a"}), chunk({"reasoning": "b"}), text("x"), calls(signed), text("y")):
            decoder.feed(each)
        decoder.feed(chunk({"reasoning": "cut "}) + chunk({"reasoning": "off"}))
        decoder.finish()

        plain, sealed, cut = decoder.signatures
        assert (plain, cut) == ("ab", "cut off") and opened(sealed) == Seal(calls={"a": SIGNED})


class TestEnding:
    @pytest.mark.parametrize(
        ("finish", "reason"),
        [
            ("stop", "end_turn"),
            ("end_turn", "end_turn"),
            ("eos", "end_turn"),
            ("something new", "end_turn"),
            ("MAX_TOKENS", "max_tokens"),
            ("tool_calls", "end_turn"),
            ("stop_sequence", "stop_sequence"),
            ("length", "max_tokens"),
            ("repetition_truncation", "max_tokens"),
            ("content_filter", "refusal"),
            ("sensitive", "refusal"),
            ("model_context_window_exceeded", "model_context_window_exceeded"),
        ],
    )
    def test_reasons(self, finish: str, reason: str) -> None:
        assert ending(finish, text("a")) == reason

    @pytest.mark.parametrize(
        ("finish", "reason"),
        [
            ("tool_calls", "tool_use"),
            ("function_call", "tool_use"),
            ("stop", "tool_use"),
            ("eos", "tool_use"),
            ("length", "max_tokens"),
        ],
    )
    def test_reasons_with_a_call(self, finish: str, reason: str) -> None:
        assert ending(finish, calls(call(0, "{}", id="a", name="f"))) == reason

    @pytest.mark.parametrize("before", [[text("a")], [calls(call(0, "{}", id="a", name="f"))]])
    def test_done_without_a_reason(self, before: list[bytes]) -> None:
        assert message_of_stream(*before, DONE)["stop_reason"] in ("end_turn", "tool_use")

    @pytest.mark.parametrize("done", [b"", b"data: [DONE]", b"data:[DONE]\n", b"data: [DONE] \r\n\r\n"])
    def test_a_reason_and_no_proper_end(self, done: bytes) -> None:
        assert content_of(text("a"), STOP, done) == [said("a")]

    def test_a_last_chunk_without_its_blank_line(self) -> None:
        assert content_of(text("a"), STOP.rstrip()) == [said("a")]

    @pytest.mark.parametrize("last", [b"", b": x\n\n", STOP[:-20], b"data: [DO", b"\n\n\r"])
    def test_neither_reason_nor_end_is_broken_off(self, last: bytes) -> None:
        found = answer_of(text("a"), last)

        assert not found.complete and found.error is None
        assert events_of(decoded(text("a"), last)) == events_of(decoded(text("a")))

    def test_the_end_waits_for_the_counts(self) -> None:
        decoder = ChatDecoder()
        decoder.feed(text("a"))
        assert decoder.feed(STOP) == decoder.feed(frame({"choices": []})) == b""

        out = decoder.feed(frame({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}))
        assert [name for name, _ in events_of(out)] == ["content_block_stop", "message_delta", "message_stop"]
        assert decoder.feed(DONE + text("more")) == decoder.finish() == b""

    def test_a_whole_answer_in_the_stream(self) -> None:
        whole = b"data: " + completion({"content": "a"}) + b"\n\n"

        assert content_of(whole, DONE) == [said("a")]
        assert content_of(b"data: " + completion({"content": "a"}, None) + b"\n\n") == [said("a")]
        assert content_of(text("a"), whole, DONE) == [said("a")]


class TestCounts:
    @pytest.mark.parametrize(
        ("told", "counts"),
        [
            ({"prompt_tokens": 10, "completion_tokens": 3}, (10, 0, 0, 3)),
            (
                {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}},
                (6, 4, 0, 3),
            ),
            (
                {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 5}},
                (1, 4, 5, 0),
            ),
            ({"prompt_tokens": 10, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 2}, (2, 8, 0, 0)),
            (
                # xAI
                {
                    "prompt_tokens": 12,
                    "completion_tokens": 1,
                    "total_tokens": 399,
                    "completion_tokens_details": {"reasoning_tokens": 386},
                },
                (12, 0, 0, 387),
            ),
            (
                {
                    "prompt_tokens": 12,
                    "completion_tokens": 387,
                    "total_tokens": 399,
                    "completion_tokens_details": {"reasoning_tokens": 386},
                },
                (12, 0, 0, 387),
            ),
            ({"prompt_tokens": 10, "cached_tokens": 3, "prompt_tokens_details": None}, (7, 3, 0, 0)),
            ({"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 4}}, (0, 4, 0, 0)),
            (
                {"prompt_tokens": -5, "completion_tokens": True, "prompt_tokens_details": {"cached_tokens": "4"}},
                (0,) * 4,
            ),
            ({"prompt_tokens": 2.5, "completion_tokens": None}, (0,) * 4),
        ],
    )
    def test_counts(self, told: Block, counts: tuple[int, ...]) -> None:
        usage = message_of_stream(text("a"), STOP, frame({"choices": [], "usage": told}), DONE)["usage"]
        names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")

        assert tuple(usage[name] for name in names) == counts

    @pytest.mark.parametrize(
        "last",
        [
            chunk({}, "stop", usage={"prompt_tokens": 9, "completion_tokens": 2}),
            chunk({}, "stop", x_groq={"id": "r", "usage": {"prompt_tokens": 9, "completion_tokens": 2}}),
            frame({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop",
                                "usage": {"prompt_tokens": 9, "completion_tokens": 2}}]}),
            STOP + frame({"choices": None, "usage": {"prompt_tokens": 9, "completion_tokens": 2}}),
        ],
    )  # fmt: skip
    def test_the_last_counts_count_wherever_they_are(self, last: bytes) -> None:
        first = chunk({"content": "a"}, usage={"prompt_tokens": 9, "completion_tokens": 1})
        message = message_of_stream(first, chunk({"content": "b"}, usage=None), last, chunk(usage={}), DONE)

        assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (9, 2)
        assert message["content"] == [said("ab")]

    def test_counts_that_nobody_told_are_not_noted(self) -> None:
        body, stream = relayed(text("a"), STOP, DONE)

        assert stream.usage == {} and b'"output_tokens":0' in body


class TestErrors:
    @pytest.mark.parametrize(
        "failed",
        [
            b'data: {"error":{"message":"overloaded","code":529}}\n\n',
            b'data: {"id":"x","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],'
            b'"error":{"message":"overloaded","code":529}}\n\n',
            b'event: error\ndata: {"error":{"message":"overloaded","code":529}}\n\n',
            b'data: {"error":\ndata: {"message":"overloaded","code":529}}\n\n',
            b'data: {"choices":[{"finish_reason":null,"error":{"message":"overloaded","code":529}}]}\n\n',
        ],
    )
    @pytest.mark.parametrize("before", [b"", text("a"), calls(call(0, "{", id="a", name="f"))])
    def test_an_error_is_the_last_event(self, failed: bytes, before: bytes) -> None:
        out = decoded(before + failed + text("more") + STOP + DONE)

        assert error_of(before, failed, STOP, DONE)["error"] == {"message": "overloaded", "code": 529}
        assert b"more" not in out and b"message_stop" not in out and out.endswith(b"}\n\n")

    def test_the_providers_own_json(self) -> None:
        told = b'{"error" : {"message":"\xc3\xbc"},"user_id":7}'

        assert decoded(b"data: " + told + b"\n\n") == b"event: error\ndata: " + told + b"\n\n"

    def test_an_error_in_a_list(self) -> None:
        assert error_of(b'data: [{"error":{"code":503}}]\n\n') == [{"error": {"code": 503}}]

    def test_an_error_without_json(self) -> None:
        told = b"event: error\ndata: overloaded\n\n"

        assert decoded(told, text("more")) == told

    def test_minimax_has_a_member_of_its_own(self) -> None:
        fine = chunk({"content": "a"}, base_resp={"status_code": 0, "status_msg": ""})
        told = {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "rate limit"}}

        assert content_of(fine, STOP, DONE) == [said("a")]
        assert error_of(fine, frame(told)) == told

    def test_an_answer_that_goes_on_after_a_reason(self) -> None:
        """It was none: one that breaks off then is no whole answer."""
        decoder = ChatDecoder()
        decoder.feed(text("a") + chunk({}, "stop"))
        assert decoder.whole
        decoder.feed(text("b"))
        assert not decoder.whole and b"message_stop" not in decoder.finish()

    @pytest.mark.parametrize("finish", ["error", "network_error", "insufficient_system_resource"])
    def test_reasons_that_tell_of_a_failure(self, finish: str) -> None:
        told = error_of(text("a"), chunk({"content": "b"}, finish), DONE)

        assert told["error"] == {"message": f"finish_reason: {finish}", "code": finish}
        assert told["id"] == "chatcmpl-1"

    @pytest.mark.parametrize("none", [None, False, "", {}])
    def test_an_error_that_is_none(self, none: Any) -> None:
        assert content_of(chunk({"content": "a"}, error=none), STOP, DONE) == [said("a")]

    def test_the_provider_is_seen_to_have_failed(self) -> None:
        _, stream = relayed(text("a"), b'data: {"error":{"message":"no"}}\n\n')

        assert json.loads(stream.failure) == {"error": {"message": "no"}} and stream.ended
