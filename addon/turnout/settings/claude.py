"""Anthropic's models as data: what each of them takes, and what Claude Code sends it."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from turnout.settings.rewriting import Rewrite

# claude-haiku-4-5-20251001, anthropic.claude-opus-4-6-v1, anthropic/claude-sonnet-4.5, claude-sonnet-4-20250514,
# claude-3-7-sonnet-20250219
_NEW = re.compile(r"claude-([a-z]+)-(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_OLD = re.compile(r"claude-(\d)(?:[-.](\d))?-([a-z]+)")


class Claude(BaseModel):
    """One row of `claude.toml`, which explains the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...]
    output: int | None = None
    budget: int | None = None
    thinks: bool = False
    binds: bool = False
    prefill: bool = False
    sampling: bool = False
    effort_without_thinking: str = ""
    rewrite: Rewrite = Rewrite()


@lru_cache(maxsize=512)
def claude(model: str) -> Claude | None:
    """What is known of a model, whatever form its id has; None for other models, and those of Claude's to come."""
    name = _plain(model.lower())
    return next((row for row in _rows() if any(fnmatchcase(name, glob) for glob in row.names)), None) if name else None


def _plain(model: str) -> str:
    """`haiku-4-5`; empty for names that are not Claude's."""
    if found := _NEW.search(model):
        family, *version = found.groups()
    elif found := _OLD.search(model):
        *version, family = found.groups()
    else:
        return ""
    return "-".join(part for part in (family, *version) if part)


@cache
def _rows() -> tuple[Claude, ...]:
    table = tomllib.loads(files("turnout.settings").joinpath("claude.toml").read_text(encoding="utf-8"))
    return tuple(Claude.model_validate(row) for row in table["models"])
