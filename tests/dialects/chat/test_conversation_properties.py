"""A whole conversation means the same in Chat Completions, and goes on as it began when the answers come from there."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dialects.chat.answers import decoded
from tests.dialects.chat.meaning import Answered, Said, of_chat, of_messages
from tests.dialects.chat.test_stream_properties import STYLES, Called, openrouter, whole, words
from tests.dialects.chat.test_stream_properties import Said as Answer
from tests.dialects.messages.bodies import NAMES, objects, plain_texts, result_texts, thoughts
from tests.dialects.messages.bodies import words as some_words
from turnout.dialects.chat.message import message_of
from turnout.dialects.chat.request import ChatRequest, chat_request
from turnout.dialects.messages.assembled import assembled
from turnout.settings.chat import ChatForm

Body = dict[str, Any]
Draw = st.DrawFn

forms = st.builds(
    ChatForm,
    thoughts=st.sampled_from(["none", "reasoning_content", "reasoning", "reasoning_details"]),
    call_ids=st.sampled_from(["any", "nine"]),
    no_content=st.sampled_from(["null", "empty", "absent"]),
    documents=st.just("file"),
)


def _source(media_type: str) -> Callable[[int], Body]:
    return lambda number: {
        "type": "base64",
        "media_type": media_type,
        "data": base64.b64encode(b"%d" % number).decode(),
    }


# Each with data of its own, so that two of them cannot be taken for each other.
images = st.integers(0, 999).map(lambda number: {"type": "image", "source": _source("image/png")(number)})
documents = (
    st.integers(0, 999).map(_source("application/pdf"))
    | some_words.map(lambda text: {"type": "text", "media_type": "text/plain", "data": text})
).map(lambda source: {"type": "document", "title": "a", "source": source})
shown = st.lists(plain_texts | images | documents, max_size=4)
results = st.fixed_dictionaries(
    {"type": st.just("tool_result"), "content": result_texts | shown}, optional={"is_error": st.booleans()}
)


def _messages(draw: Draw, role: str, blocks: Sequence[Body]) -> list[Body]:
    """A turn, in one message or in two."""
    cut = draw(st.integers(1, len(blocks)))
    parts = [[*blocks[:cut]], [*blocks[cut:]]]
    return [
        {"role": role, "content": part[0]["text"] if len(part) == 1 and part[0]["type"] == "text" else part}
        for part in parts
        if part
    ]


@st.composite
def conversations(draw: Draw) -> Body:
    """Turns of both sides, calls between their texts and thoughts, and results in another order than the calls."""
    messages: list[Body] = []
    waiting: list[Body] = []
    for turn in range(draw(st.integers(1, 4))):
        said = draw(shown) or ([] if waiting else [draw(plain_texts)])
        messages += _messages(draw, "user", [*waiting, *said])
        ids = [f"toolu_{turn}_{number}" for number in range(draw(st.integers(0, 3)))]
        blocks = [
            {"type": "tool_use", "id": id, "name": draw(st.sampled_from(NAMES)), "input": draw(objects)} for id in ids
        ]
        blocks += draw(st.lists(plain_texts | thoughts, min_size=0 if ids else 1, max_size=3))
        messages += _messages(draw, "assistant", draw(st.permutations(blocks)))
        waiting = [{**draw(results), "tool_use_id": id} for id in draw(st.permutations(ids))]
    if waiting:
        messages += _messages(draw, "user", [*waiting, *draw(shown)])
    body: Body = {"model": "m", "max_tokens": 9, "messages": messages}
    prompt = draw(st.none() | some_words | st.lists(plain_texts, max_size=2))
    if draw(st.booleans()) and isinstance(messages[0]["content"], list):
        messages[0]["content"][0]["cache_control"] = {"type": "ephemeral"}
    return body if prompt is None else {**body, "system": prompt}


@settings(max_examples=150)
@given(conversations(), forms)
def test_a_conversation_means_the_same(body: Body, form: ChatForm) -> None:
    told = json.loads(_translated(body, form).translated.body)
    thoughtful = form.thoughts in ("reasoning_content", "reasoning")
    assert of_chat(told) == of_messages(body, thoughts=thoughtful)


def _translated(body: Body, form: ChatForm) -> ChatRequest:
    return chat_request(json.dumps(body).encode(), form)


# --- answers that become a part of it ---

provider_ids = st.sampled_from(
    ["call_0", "call_1", "functions.Bash:0", f"chatcmpl-tool-{'0' * 32}", "a" * 70, "tc64_", "nineChars"]
)
"""As servers write them, and the same ones in every answer."""
called = st.lists(
    st.builds(Called, provider_ids, st.sampled_from(["Bash", "Read"]), objects),
    max_size=3,
    unique_by=lambda each: each.id,
)
answers = st.builds(Answer, words, words, called, st.integers(1, 12)).filter(lambda each: bool(each.content))
styles = st.sampled_from([*STYLES, None])
"""None: in one piece."""


class Round(NamedTuple):
    answer: Answer
    style: Callable[[Answer], list[bytes]] | None
    results: list[str]
    said: str


rounds = st.lists(
    st.builds(Round, answers, styles, st.lists(some_words, min_size=3, max_size=3), some_words), min_size=1, max_size=3
)


@settings(max_examples=100, deadline=None)
@given(rounds, forms)
def test_a_conversation_goes_on_with_what_was_answered(rounds: list[Round], form: ChatForm) -> None:
    """As its client does it: what was sent before is sent in the very same bytes, and the provider reads of its answer
    what it has answered, by the ids that it has given."""
    messages: list[Body] = [{"role": "user", "content": "Do it."}]
    body: Body = {"model": "m", "max_tokens": 9, "messages": messages}
    made = _translated(body, form)
    seen: set[str] = set()
    held: set[str] = set()
    for each in rounds:
        content = _arrived(each, made)
        ids = [block["id"] for block in content if block["type"] == "tool_use"]
        assert len({*ids} - held) == len(ids), "two calls of a conversation have the same id"
        held |= {*ids}
        messages.append({"role": "assistant", "content": content})
        texts = dict(zip(ids, each.results, strict=False))
        given = [{"type": "tool_result", "tool_use_id": id, "content": texts[id]} for id in reversed(ids)]
        messages.append({"role": "user", "content": [*given, {"type": "text", "text": each.said}]})

        before, made = made, _translated(body, form)
        assert made.translated.body.startswith(before.translated.body.removesuffix(b"]}"))
        _, *new = json.loads(made.translated.body)["messages"][_count(before) - 1 :]
        _check_told(new, each, form, seen)
        seen |= {call.id for call in each.answer.calls}


def _count(made: ChatRequest) -> int:
    return len(json.loads(made.translated.body)["messages"])


def _arrived(each: Round, made: ChatRequest) -> list[Body]:
    """The content of the answer, as the client has it."""
    if each.style is None:
        content: list[Body] = json.loads(message_of(whole(each.answer), made.call_ids))["content"]
        return content
    found = assembled(decoded(*each.style(each.answer), taken=made.call_ids), "text/event-stream")
    assert found is not None and found.complete
    return [*found.message["content"]]


def _check_told(new: list[Body], each: Round, form: ChatForm, seen: set[str]) -> None:
    """`new`: the messages behind those of the request before. `seen`: ids that were given in earlier answers."""
    answer = each.answer
    called = [(call.name, call.given, [text]) for call, text in zip(answer.calls, each.results, strict=False)]
    thoughts = answer.thoughts if form.thoughts in ("reasoning_content", "reasoning") else ""
    spoken = [Answered(answer.text, thoughts, called)] if answer.text or answer.calls else []  # type: ignore[arg-type]
    assert of_chat({"messages": new}) == [*spoken, Said("user", [each.said])]
    if not spoken:
        return
    told = new[0]
    if form.thoughts == "reasoning_details":
        detail = {"type": "reasoning.text", "text": answer.thoughts, "index": 0, "format": None}
        given = [detail] if each.style is openrouter and answer.thoughts else None
        assert told.get("reasoning_details") == given
    for mine, theirs in zip(told.get("tool_calls", []), answer.calls, strict=True):
        if form.call_ids == "any" and len(theirs.id) <= 40 and theirs.id not in seen:
            assert mine["id"] == theirs.id
