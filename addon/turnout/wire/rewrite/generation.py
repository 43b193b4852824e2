"""What generation of Claude a model name stands for, and which kind of thinking that takes."""

from __future__ import annotations

import re

Generation = tuple[int, int]

# claude-haiku-4-5-20251001, anthropic.claude-opus-4-6-v1, anthropic/claude-sonnet-4.5, claude-3-7-sonnet-20250219,
# claude-sonnet-4-20250514, claude-opus-5
_NEW = re.compile(r"claude-[a-z]+-(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_OLD = re.compile(r"claude-(\d)(?:[-.](\d))?-[a-z]+")

FIRST_WITH_THINKING: Generation = (3, 7)
FIRST_ADAPTIVE: Generation = (4, 6)
"""From here on `thinking.type: adaptive` and `output_config.effort` are accepted."""
FIRST_ONLY_ADAPTIVE: Generation = (4, 7)
"""From here on `thinking.type: enabled`, and sampling parameters, are refused."""


def generation(model: str) -> Generation | None:
    """(4, 5) for claude-haiku-4-5-20251001, (5, 0) for claude-opus-5; None for names that are not Claude's."""
    name = model.lower()
    found = _NEW.search(name) or _OLD.search(name)
    return (int(found[1]), int(found[2] or 0)) if found else None
