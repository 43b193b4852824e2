"""Auto mode of Claude Code: a request asks for verdicts on the actions of its answer, which Anthropic alone can give.

What 2.1.332 makes of an answer was measured: without any results, or with those of a provider that supports none, it
stops the turn in a dialog that names the gateway. `available` without a verdict on any tool use is the truth, and makes
it put the ordinary question for the one action that needs a verdict.
"""

from __future__ import annotations

import msgspec

from turnout.wire.splice import UNREADABLE

FIELD = "safeguards"
"""The field of a request that asks for results."""
RESULTS = "safeguard_results"
"""The member of a whole message, or of the delta of message_delta, that brings them."""

NO_VERDICT = b'[{"type":"dangerous_tool_use","status":{"type":"available","tool_uses":{}}}]'
"""Results that hold no verdict."""


def asks_about_tool_use(safeguards: msgspec.Raw | None) -> bool:
    """Whether the `safeguards` of a request ask about dangerous uses of tools."""
    try:
        asked = msgspec.json.decode(safeguards) if safeguards is not None else None
    except UNREADABLE:
        return False
    return isinstance(asked, list) and any(
        isinstance(each, dict) and each.get("type") == "dangerous_tool_use" for each in asked
    )
