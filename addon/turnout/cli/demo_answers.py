"""What the two providers of `turnout demo` answer: that a quota is used up, and a recorded answer."""

from __future__ import annotations

import time
from importlib.resources import files

from turnout.testing import replies
from turnout.testing.replies import Reply

QUOTA_WINDOW = 3 * 3600
"""Seconds until the pretend quota comes back."""


def quota_used_up() -> Reply:
    """What Anthropic sends when the five-hour window of a plan is used up."""
    reset = str(int(time.time()) + QUOTA_WINDOW)
    unified = {
        "status": "rejected",
        "reset": reset,
        "representative-claim": "five_hour",
        "5h-status": "rejected",
        "5h-reset": reset,
        "5h-utilization": "1.0",
        "overage-status": "rejected",
        "overage-disabled-reason": "out_of_credits",
    }
    headers = {
        "retry-after": str(QUOTA_WINDOW),
        "x-should-retry": "false",
        **{f"anthropic-ratelimit-unified-{name}": value for name, value in unified.items()},
    }
    return replies.error(429, "rate_limit_error", "You have hit your usage limit.", headers)


def recorded_answer(pause: float) -> Reply:
    """Streams the packaged recording, with `pause` seconds between two events."""
    return replies.sse(recorded_events(), delay=pause)


def recorded_events() -> list[bytes]:
    """The recording as its SSE events, blank line included."""
    recording = files("turnout.cli").joinpath("demo_answer.sse").read_bytes()
    return [event + b"\n\n" for event in recording.split(b"\n\n") if event]
