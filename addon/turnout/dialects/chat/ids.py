"""Ids of tool calls: as clients of Anthropic can send them back, and as the provider knows them.

Anthropic takes ^[a-zA-Z0-9_-]+$ and no id for two calls of a conversation. Kimi counts `functions.Bash:0`, Gemini
`call_0` in every answer, older versions of llama.cpp send none.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable

from turnout.dialects.chat.base64url import coded, decoded

_FIT = re.compile(r"[a-zA-Z0-9_-]{1,64}")
WRAPPED = "tc64_"
"""How the ids begin in which one that Anthropic does not take is coded."""
_NINE = re.compile(r"[a-zA-Z0-9]{9}")
_LONGEST = 40
"""Characters. OpenAI: "Expected a string with maximum length 40"; vLLM gives ids of 46."""
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class ClientIds:
    """The ids of one answer's calls for its client. `taken`: those that the conversation holds already."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def of(self, provider_id: str) -> str:
        """The id for a call that the provider has named so; "" for one that it has not named."""
        told = _wrapped(provider_id)
        if not told or told in self._taken:
            told = f"toolu_{secrets.token_hex(12)}"
        self._taken.add(told)
        return told


def _wrapped(provider_id: str) -> str:
    """An id that Anthropic takes, from which the provider's can be read; "" where there is no such."""
    if _FIT.fullmatch(provider_id) and not provider_id.startswith(WRAPPED):
        return provider_id
    told = _wrap(provider_id)
    return told if provider_id and _FIT.fullmatch(told) else ""


def _wrap(provider_id: str) -> str:
    return WRAPPED + coded(provider_id.encode("utf-8", "surrogatepass"))


def provider_id(client_id: str, *, nine: bool = False) -> str:
    """The id under which the provider knows a call; one that is too long for some always becomes the same shorter one.

    `nine`: made nine letters and digits.
    """
    told = _unwrapped(client_id) if client_id.startswith(WRAPPED) else client_id
    if not nine:
        return told if len(told) <= _LONGEST else f"call_{_hash(told).hex()[:32]}"
    if _NINE.fullmatch(told):
        return told
    number = int.from_bytes(_hash(told)[:8], "big")
    return "".join(_LETTERS[number // 62**place % 62] for place in range(9))


def _hash(id: str) -> bytes:
    return hashlib.sha256(id.encode("utf-8", "surrogatepass")).digest()


def with_provider_id(client_id: str, change: Callable[[str], str]) -> str:
    """The client's id of a call, when the one that its provider knows is changed."""
    told = _unwrapped(client_id)
    return change(client_id) if told == client_id else _wrap(change(told))


def _unwrapped(client_id: str) -> str:
    within = client_id.removeprefix(WRAPPED)
    if within == client_id:
        return client_id
    try:
        return decoded(within).decode("utf-8", "surrogatepass") or client_id
    except ValueError:
        return client_id
