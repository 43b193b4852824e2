"""Whether another provider has left something in a conversation that may not be sent on, found without decoding it.

What this overlooks is sent as it came; what it suspects without reason is looked at closely and sent as it came, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from turnout.dialects.messages.signatures import SEALED

# In a text of the user these stand with a backslash before their closing quotation mark.
_ROLE, _ASSISTANT, _TYPE, _RESULT_OF = b'"role"', b'"assistant"', b'"type"', b'"tool_use_id"'

FOREIGN_MEMBERS = frozenset(
    ("provider_specific_fields", "extra_content", "thought_signature", "annotations", "logprobs", "reasoning_content")
    + ("reasoning_details", "tool_calls")
)
"""Members of blocks that those add who translate, for what they have no place for. Anthropic takes none that it does
not know."""

_BLANK = rb'"(?:\s|\\[nrt])*"'
# What an answer of Anthropic's is made of, in its order, without the blocks of tools that it has run itself.
_PLAIN = re.compile(
    rb'"type"\s*:\s*"(thinking|redacted_thinking|ephemeral|direct|compaction|fallback'
    rb'|text"\s*,\s*"text"\s*:\s*(?!' + _BLANK + rb")"
    rb'|tool_use"\s*,\s*"id"\s*:\s*"([a-zA-Z0-9_-]{1,64})"\s*,\s*"name"\s*:\s*"[a-zA-Z0-9_-]{1,128})"'
)
_FOREIGN_MEMBER = re.compile(rb'"(?:' + b"|".join(sorted(name.encode() for name in FOREIGN_MEMBERS)) + rb')"\s*:')
_SIGNED = re.compile(rb'"signature"\s*:\s*"(?!' + re.escape(SEALED).encode() + rb')[^"]')
_NO_CONTENT = re.compile(rb'"assistant"\s*,\s*"content"\s*:\s*(?:null|\[\s*\]|' + _BLANK + rb")")
_NOTHING = re.compile(rb'"(?:input|id|name|thinking|signature|data)"\s*:\s*null')


@dataclass(frozen=True, slots=True)
class Traces:
    """What may be there, in the turns of the assistant."""

    foreign: bool = False
    """Blocks, ids or texts that Anthropic would refuse, or would not have written."""
    unsigned: bool = False
    """Thinking without a signature that Anthropic could have given."""


def traces(body: bytes) -> Traces:
    """What a Messages body may hold of another provider.

    Costs a search or two through all of it, and a few more through the turns of the assistant.
    """
    first = body.find(_ASSISTANT)
    if first < 0:
        return Traces()
    if not _puts_role_first(body, first):
        return Traces(foreign=True, unsigned=True)  # a client that writes as few do: all of it is looked at
    found = [_of_known_turn(said) if len(said) <= _SHORT else _of_turn(said) for said in _turns(body, first)]
    calls = [call for turn in found for call in turn.calls]
    # A call is without its result, or the other way round, or two have the same id.
    unpaired = len(set(calls)) != len(calls) or len(calls) != body.count(_RESULT_OF)
    return Traces(unpaired or any(turn.foreign for turn in found), any(turn.unsigned for turn in found))


@dataclass(frozen=True, slots=True)
class _Turn(Traces):
    calls: tuple[bytes, ...] = ()
    """The ids of its calls."""


def _of_turn(said: bytes) -> _Turn:
    blocks = _PLAIN.findall(said)
    thoughts = [kind for kind, _ in blocks if kind == b"thinking"]
    return _Turn(
        foreign=len(blocks) != said.count(_TYPE) or _lacks_something(said) or _has_too_much(said),
        unsigned=bool(thoughts) and len(thoughts) > len(_SIGNED.findall(said)),
        calls=tuple(call for _, call in blocks if call),
    )


_SHORT = 2048
"""Bytes of a turn that is worth remembering: a conversation comes again with every request, and has hundreds."""
_of_known_turn = lru_cache(maxsize=4096)(_of_turn)


def _lacks_something(said: bytes) -> bool:
    return _NO_CONTENT.match(said) is not None or (b"null" in said and _NOTHING.search(said) is not None)


def _has_too_much(said: bytes) -> bool:
    return _FOREIGN_MEMBER.search(said) is not None


def _puts_role_first(body: bytes, turn: int) -> bool:
    key = body.rfind(_ROLE, 0, turn)
    return key >= 0 and body[max(0, key - 20) : key].rstrip().endswith(b"{")


def _turns(body: bytes, at: int) -> Iterator[bytes]:
    """The turns of the assistant, from their role on. The first one's is `at`."""
    while at >= 0:
        end = body.find(_ROLE, at)
        yield body[at : end if end >= 0 else len(body)]
        at = body.find(_ASSISTANT, end) if end >= 0 else -1
