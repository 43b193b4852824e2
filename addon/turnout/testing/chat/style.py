"""How a vendor writes its answers, as far as compatible servers differ in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from turnout.testing.wire import RecordedRequest


@dataclass(frozen=True)
class Style:
    """The default is OpenAI's."""

    reasoning: Literal["reasoning_content", "reasoning", "reasoning_details", "think", "split", "unsigned", "none"] = (
        "reasoning_content"
    )
    """Where thoughts stand. `reasoning_details` brings `reasoning` along, `think` puts them into the text, `split` is
    `unsigned` where the request says `reasoning_split` and else `think` (MiniMax). `unsigned`: details that nobody has
    signed, with `reasoning_content`. `none`: they are not told (xAI)."""
    ids: Literal["own", "counted", "functions", "nine", "long", "none"] = "own"
    """`call_` and 24 letters; `call_0` in every answer; `functions.Bash:0`; nine letters; 46 characters; empty."""
    arguments: Literal["split", "whole"] = "split"
    """Whether a call comes in several deltas or in one."""
    name_later: bool = False
    """The first delta of a call brings the id, the second the name."""
    indexed: bool = True
    """Deltas of calls say which call they belong to."""
    repeats: bool = False
    """Every delta of a call brings id and name again."""
    interleaved: bool = False
    """Deltas of parallel calls take turns."""
    usage: Literal["asked", "always", "at finish"] = "asked"
    """When a stream tells its counts: in a chunk of their own when asked, or always; or in the last of the choice."""
    counts_hits: bool = False
    """Cached tokens are told as hits and misses too (DeepSeek)."""
    done: bool = True
    """A stream ends with `[DONE]`."""
    keep_alive: str = ""
    """A comment with which every stream begins."""
    calls_end: Literal["tool_calls", "stop"] = "tool_calls"
    """The finish reason of an answer that calls tools."""
    signs_calls: bool = False
    """The first call of an answer bears a thought signature (Gemini 3)."""
    failure: Literal["bare", "chunk"] = "bare"
    """An error in a stream stands alone, or in a chunk that ends the choice (OpenRouter)."""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """Members that every chunk and every whole answer has beside OpenAI's."""

    def asked_by(self, request: RecordedRequest) -> Style:
        """What it comes to for this request."""
        if self.reasoning != "split":
            return self
        return replace(self, reasoning="unsigned" if request.json.get("reasoning_split") else "think")


def call_ids(style: Style, request: RecordedRequest, names: list[str]) -> list[str]:
    """The ids of an answer's calls, the same ones whenever the same is asked."""
    answers, calls = _past(request.json)
    result = []
    for position, name in enumerate(names):
        digest = hashlib.sha256(f"{answers}/{position}/{name}".encode()).hexdigest()
        known = {
            "own": f"call_{digest[:24]}",
            "counted": f"call_{position}",
            "functions": f"functions.{name}:{calls + position}",
            "nine": digest[:9],
            "long": f"chatcmpl-tool-{digest[:32]}",
            "none": "",
        }
        result.append(known[style.ids])
    return result


def _past(body: Any) -> tuple[int, int]:
    """How many answers and calls a conversation has so far."""
    messages = [message for message in body["messages"] if message.get("role") == "assistant"]
    return len(messages), sum(len(message.get("tool_calls") or ()) for message in messages)
