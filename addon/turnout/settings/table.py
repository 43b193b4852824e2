"""What all tables of the configuration have in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """No key that nobody reads, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def as_list(value: Any) -> Any:
    """One text where a list of them may stand."""
    return [value] if isinstance(value, str) else value
