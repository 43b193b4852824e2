"""Model names: short aliases, the suffixes by which a client asks for more than a model, and globs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import takewhile
from typing import cast

from turnout.dialects.messages.rewrite.subject import Effort

FAMILIES = ("opus", "sonnet", "haiku", "fable")

_OFFICIAL = "[1m]"  # Claude Code has been seen to double it
_PRIVATE_LONG_CONTEXT = "-1m"
_REASONING = "-reasoning-"
_SUFFIXES = (_OFFICIAL, _PRIVATE_LONG_CONTEXT, *(_REASONING + effort for effort in ("low", "medium", "high")))


@dataclass(frozen=True, slots=True)
class Asked:
    """A client's model name taken apart."""

    name: str
    """The name without its suffixes."""
    long_context: bool
    """A suffix asks for the long context window: `[1m]`, or `-1m` on a Claude model."""
    effort: Effort | None
    """What a `-reasoning-…` suffix of a Claude model asks for; the last one counts."""


def asked(model: str) -> Asked:
    """What a model name asks for. `-1m` and `-reasoning-…` belong to the name of a model that is not Claude's."""
    name, suffixes = _split(model)
    efforts = [suffix.removeprefix(_REASONING) for suffix in suffixes if suffix.startswith(_REASONING)]
    long_context = _OFFICIAL in suffixes or _PRIVATE_LONG_CONTEXT in suffixes
    return Asked(name, long_context, cast(Effort, efforts[-1]) if efforts else None)


def _split(model: str) -> tuple[str, tuple[str, ...]]:
    """The name and its suffixes, these in lower case and in their order."""
    found: list[str] = []
    end = len(model)
    while suffix := next((each for each in _SUFFIXES if model[max(0, end - len(each)) : end].lower() == each), None):
        found.append(suffix)
        end -= len(suffix)
    if _is_claude(model[:end].lower()):
        return model[:end], tuple(reversed(found))
    official = tuple(takewhile(_OFFICIAL.__eq__, found))
    name = model[: len(model) - len(_OFFICIAL) * len(official)]
    return (name, official) if name else (model, ())


def _is_claude(name: str) -> bool:
    return "claude" in name or name in FAMILIES


def matches(model: str, patterns: Iterable[str]) -> bool:
    """Whether a model name fits one of the globs, without regard to case.

    A bare family name (opus, sonnet, haiku, fable) also fits every Claude model of that family, whatever form its id
    has.
    Suffixes take no part unless a pattern asks for them: one that ends in `[1m]` fits what asks for the long context.
    """
    name, suffixes = _split(model.lower())
    long_context = _OFFICIAL in suffixes or _PRIVATE_LONG_CONTEXT in suffixes
    spelled = name + "".join(suffix for suffix in suffixes if suffix != _OFFICIAL)
    return any(_fits(name, spelled, long_context, pattern.lower()) for pattern in patterns)


def _fits(name: str, spelled: str, long_context: bool, pattern: str) -> bool:
    if pattern in FAMILIES:
        return name == pattern or ("claude" in name and pattern in name)
    if pattern.endswith(_OFFICIAL):
        return long_context and _fits_glob(name, spelled, pattern.removesuffix(_OFFICIAL))
    return _fits_glob(name, spelled, pattern)


def _fits_glob(name: str, spelled: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(spelled, pattern)


def upstream_name(model: str, aliases: Mapping[str, str]) -> str:
    """The name a provider knows for a client's model: suffixes removed, short name replaced where it has one."""
    name = asked(model).name
    return aliases.get(name.lower(), name)
