"""Model names: short aliases, the `[1m]` suffix, and globs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

FAMILIES = ("opus", "sonnet", "haiku")

_LONG_CONTEXT = re.compile(r"(?:\[1m\])+$", re.IGNORECASE)  # Claude Code has been seen to double it


def split_long_context(model: str) -> tuple[str, bool]:
    """The name without its `[1m]` suffix, and whether it had one."""
    name = _LONG_CONTEXT.sub("", model)
    return (name, True) if name != model and name else (model, False)


def matches(model: str, patterns: Iterable[str]) -> bool:
    """Whether a model name fits one of the globs, without regard to case.

    A bare family name (opus, sonnet, haiku) also fits every Claude model of that family, whatever form its id has.
    The `[1m]` suffix takes no part unless a pattern asks for it.
    """
    full = model.lower()
    name = split_long_context(full)[0]
    return any(_fits(name, full, pattern.lower()) for pattern in patterns)


def _fits(name: str, full: str, pattern: str) -> bool:
    if pattern in FAMILIES:
        return name == pattern or ("claude" in name and pattern in name)
    if pattern.endswith("[1m]"):
        return full.endswith("[1m]") and fnmatchcase(name, split_long_context(pattern)[0])
    return fnmatchcase(name, pattern)


def upstream_name(model: str, aliases: Mapping[str, str]) -> str:
    """The name a provider knows for a client's model: suffix removed, short name replaced where the preset has one."""
    name = split_long_context(model)[0]
    return aliases.get(name.lower(), name)
