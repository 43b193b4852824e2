"""What a vendor wants back of its own answers: thoughts, their details, the signatures of calls."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Container, Iterable, Iterator
from typing import Any

from turnout.testing.chat.problem import ChatProblem
from turnout.testing.chat.signing import SKIPS_VALIDATION, signed_call, signed_text
from turnout.testing.chat.vendor import ChatVendor

Message = dict[str, Any]

_UNSIGNED = (
    "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, "
    "and missing thought_signature may lead to degraded model performance. Additional data, function call "
    "`default_api:{}` , position {}. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more "
    "details."
)


def check_given_back(own: ChatVendor, body: dict[str, Any]) -> None:
    """Raises ChatProblem."""
    messages = body["messages"]
    match own.gives_back:
        case "turn" if own.is_thinking(body):
            _check_turns(messages)
        case "calls" if own.is_thinking(body):
            _check_calls(messages)
        case "reasoning_details":
            _check_details(messages)
        case "thought_signature":
            _check_signatures(messages)


def _turns(messages: list[Message]) -> Iterator[list[tuple[int, Message]]]:
    """The answers between one message of the user and the next, with their places."""
    turn: list[tuple[int, Message]] = []
    for position, message in enumerate(messages):
        if message["role"] == "user":
            yield turn
            turn = []
        elif message["role"] == "assistant":
            turn.append((position, message))
    yield turn


def _check_turns(messages: list[Message]) -> None:
    """DeepSeek: all answers of a turn with calls, and "" is a thought (api-docs.deepseek.com/guides/thinking_mode)."""
    for turn in _turns(messages):
        if any("tool_calls" in message for _, message in turn):
            for position, message in turn:
                if not isinstance(message.get("reasoning_content"), str):
                    said = "The `reasoning_content` in the thinking mode must be passed back to the API."
                    raise ChatProblem("own", ("messages", position), said)


def _check_calls(messages: list[Message]) -> None:
    """Moonshot: "" is no thought, " " is one."""
    for position, message in enumerate(messages):
        if "tool_calls" in message and not message.get("reasoning_content"):
            missing = "thinking is enabled but reasoning_content is missing in assistant tool call message"
            raise ChatProblem("own", ("messages", position), f"{missing} at index {position}")


def _check_details(messages: list[Message]) -> None:
    """OpenRouter: complete, each element once. The pieces of a stream have to be put together: what is signed is the
    whole text (OpenRouterTeam/ai-sdk-provider#423, agno-agi/agno#8794)."""
    for position, message in enumerate(messages):
        details = message.get("reasoning_details", [])
        whole = isinstance(details, list) and all(_is_whole(detail) for detail in details)
        if not whole or not _counts_up(details):
            said = f"messages.{position}.content.0: Invalid `signature` in `thinking` block"
            raise ChatProblem("own", ("messages", position), said)


def check_kept(messages: list[Message], thoughtful: Container[str]) -> None:
    """Raises ChatProblem for an answer whose calls came with details, and which is back without them. `thoughtful`: the
    ids of such calls."""
    for position, message in enumerate(messages):
        calls = message.get("tool_calls") or ()
        if any(call["id"] in thoughtful for call in calls) and not message.get("reasoning_details"):
            raise ChatProblem("own", ("messages", position), "reasoning_details must be passed back unmodified")


def _is_whole(detail: Any) -> bool:
    match detail:
        case {"type": "reasoning.text", "text": str(text), "signature": signature}:
            return bool(signature == signed_text(text))
        case {"type": "reasoning.text", "text": str(), "format": "MiniMax-response-v1"}:
            return True
        case {"type": "reasoning.encrypted", "data": str(data)}:
            try:
                return len(base64.b64decode(data, validate=True)) == 64
            except binascii.Error:
                return False
    return False


def _counts_up(details: Iterable[Message]) -> bool:
    return all(detail.get("index") == position for position, detail in enumerate(details))


def _check_signatures(messages: list[Message]) -> None:
    """Gemini 3: on the first call of each answer since the user last spoke."""
    *_, current = _turns(messages)
    for position, message in current:
        if "tool_calls" not in message:
            continue
        call = message["tool_calls"][0]
        name, arguments = call["function"]["name"], json.loads(call["function"]["arguments"])
        found = ((call.get("extra_content") or {}).get("google") or {}).get("thought_signature")
        if not found:
            raise ChatProblem("own", ("messages", position), _UNSIGNED.format(name, position))
        if found not in (SKIPS_VALIDATION, signed_call(name, arguments)):
            raise ChatProblem("own", ("messages", position), "Corrupted thought signature.")
