"""What a conversation says, read from a request of the Messages API and from one of Chat Completions.

Both readers know their API, and of the translation only what stands in for what Chat Completions cannot say: images in
results are shown by the user's next message, an error and silence are put into words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

Body = dict[str, Any]
Shown = tuple[str, str]
"""The type of a part, and its data URL."""
Pieces = list[str | Shown]

BETWEEN = "\n\n"
_LABEL = re.compile(r"\[Attachment (\d+), from the result of a tool:\]")
_SHOWN_LATER = re.compile(
    rf"(?:{BETWEEN})?\[Here is an? (?:image|document): attachment (\d+) of the user's next message\.\](?:{BETWEEN})?"
)


class Said(NamedTuple):
    role: str
    pieces: Pieces


class Called(NamedTuple):
    name: str
    input: Any
    result: Pieces


class Answered(NamedTuple):
    text: str
    thoughts: str
    calls: list[Called]


Meaning = list[Said | Answered]


def joined(pieces: Iterable[str | Shown]) -> Pieces:
    """Texts that follow each other as one."""
    told: Pieces = []
    for piece in pieces:
        last = told[-1] if told else None
        if isinstance(piece, str) and isinstance(last, str):
            told[-1] = f"{last}{BETWEEN}{piece}"
        else:
            told.append(piece)
    return told


# --- Messages ---


def of_messages(body: Body, *, thoughts: bool) -> Meaning:
    """`thoughts`: whether they are told."""
    told: Meaning = []
    prompt = joined(_shown(block) for block in _blocks(body.get("system", [])))
    if prompt:
        told.append(Said("system", prompt))
    waiting: dict[str, Called] = {}
    for role, blocks in _turns(body["messages"]):
        if role == "assistant":
            answer, waiting = _answered(blocks, thoughts)
            if answer.text or answer.calls:
                told.append(answer)
            continue
        for block in blocks:
            if block["type"] == "tool_result":
                waiting.pop(block["tool_use_id"]).result.extend(_result(block))
        pieces = joined(_shown(block) for block in blocks if block["type"] != "tool_result")
        if pieces:
            told.append(Said("user", pieces))
    return told


def _turns(messages: list[Body]) -> list[tuple[str, list[Body]]]:
    turns: list[tuple[str, list[Body]]] = []
    for message in messages:
        role = "assistant" if message["role"] == "assistant" else "user"
        if not turns or turns[-1][0] != role:
            turns.append((role, []))
        turns[-1][1].extend(_blocks(message["content"]))
    return turns


def _blocks(content: str | list[Body]) -> list[Body]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _answered(blocks: list[Body], thoughts: bool) -> tuple[Answered, dict[str, Called]]:
    text = BETWEEN.join(block["text"] for block in blocks if block["type"] == "text")
    thought = [block["thinking"] for block in blocks if block["type"] == "thinking" and block["thinking"]]
    calls = {block["id"]: Called(block["name"], block["input"], []) for block in blocks if block["type"] == "tool_use"}
    return Answered(text, BETWEEN.join(thought) if thoughts else "", [*calls.values()]), calls


def _shown(block: Body) -> str | Shown:
    if block["type"] == "text":
        return str(block["text"])
    source = block["source"]
    if source["type"] == "text":
        return f"{block['title']}\n{source['data']}"
    return block["type"], f"data:{source['media_type']};base64,{source['data']}"


def _result(block: Body) -> Pieces:
    pieces = [piece for piece in map(_shown, _blocks(block["content"])) if piece]
    if block.get("is_error"):
        first = pieces[0] if pieces else None
        pieces[:1] = [f"Error: {first}"] if isinstance(first, str) else ["Error", *pieces[:1]]
    return joined(pieces or ["[No output.]"])


# --- Chat Completions ---


def of_chat(body: Body) -> Meaning:
    """Raises AssertionError for a conversation that no server takes."""
    told: Meaning = []
    waiting: dict[str, Called] = {}
    for message in body["messages"]:
        role, parts = message["role"], _parts(message.get("content"))
        assert role == "tool" or not waiting, "somebody speaks before all results are there"
        assert role != "system" or not told, "the system prompt comes first"
        if role == "tool":
            waiting.pop(message["tool_call_id"]).result.extend(_told_of(parts))
        elif role == "assistant":
            calls = {call["id"]: _called(call["function"]) for call in message.get("tool_calls", [])}
            assert len(calls) == len(message.get("tool_calls", [])), "an id names two calls"
            waiting = dict(calls)
            thoughts = message.get("reasoning_content") or message.get("reasoning") or ""
            told.append(Answered(BETWEEN.join(map(str, parts)), thoughts, [*calls.values()]))
        else:
            said, attached = _detached(parts)
            if attached:
                last = told[-1]
                assert isinstance(last, Answered), "nothing was called for that"
                for call in last.calls:
                    call.result[:] = [attached.pop(p[1]) if p[0] == "attachment" else p for p in call.result]
            assert not attached, "no result tells of it"
            told += [Said(role, joined(said))] if said else []
    assert not waiting, "there is a call without a result"
    return told


def _parts(content: str | list[Body] | None) -> Pieces:
    """Of a message: texts, images and files."""
    if not isinstance(content, list):
        return [content] if content else []
    urls = {"image_url": ("image", "url"), "file": ("document", "file_data")}
    pieces: Pieces = []
    for part in content:
        kind = part["type"]
        pieces.append(part["text"] if kind == "text" else (urls[kind][0], part[kind][urls[kind][1]]))
    return pieces


def _called(function: Body) -> Called:
    return Called(function["name"], json.loads(function["arguments"]), [])


def _told_of(parts: Pieces) -> Pieces:
    """What a result holds; of what is shown elsewhere the number."""
    text, *numbered = _SHOWN_LATER.split(BETWEEN.join(map(str, parts)))
    pieces: Pieces = [text] if text else []
    for number, following in zip(numbered[::2], numbered[1::2], strict=True):
        pieces += [("attachment", number), *([following] if following else [])]
    return pieces


def _detached(parts: Pieces) -> tuple[Pieces, dict[str, Shown]]:
    """What the user says, and what results have shown, by its number."""
    said: Pieces = []
    attached: dict[str, Shown] = {}
    rest = iter(parts)
    for part in rest:
        label = _LABEL.fullmatch(part) if isinstance(part, str) else None
        if label is None:
            said.append(part)
            continue
        shown = next(rest)
        assert not isinstance(shown, str), "a label without what it is for"
        attached[label[1]] = shown
    return said, attached
