"""What a provider wants back with its thoughts and calls, carried in the signature of a thinking block.

Gemini 3 refuses a call that lost its thought signature ("Function call is missing a thought_signature"), OpenRouter
signs and encrypts `reasoning_details`. A client of Anthropic gives back thinking blocks with their signatures
unchanged, and nothing else that it does not know.
"""

from __future__ import annotations

from typing import Any

import msgspec

from turnout.dialects.chat.base64url import coded, decoded
from turnout.dialects.messages.signatures import SEALED


class Seal(msgspec.Struct, frozen=True, omit_defaults=True):
    """The content of a signature."""

    details: list[Any] = []
    """Elements of `reasoning_details`, as they came."""
    calls: dict[str, Any] = {}
    """`extra_content` by the client's id of a tool call."""


_DECODER = msgspec.json.Decoder(Seal)


def sealed(seal: Seal) -> str:
    """The signature that carries this; "" for nothing."""
    if not seal.details and not seal.calls:
        return ""
    return SEALED + coded(msgspec.json.encode(seal))


def opened(signature: str) -> Seal | None:
    """What a signature carries; None for one that is none of ours."""
    within = signature.removeprefix(SEALED)
    if within == signature:
        return None
    try:
        return _DECODER.decode(decoded(within))
    except (ValueError, msgspec.MsgspecError):
        return None
