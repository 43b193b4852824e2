"""Everything that an error body says, in all its envelopes: texts, codes, and errors that name their place."""

from __future__ import annotations

from typing import Any

from turnout.dialects.error_body.body import Placed
from turnout.dialects.error_body.keys import DEEPEST, ENVELOPES
from turnout.dialects.error_body.places import listed_in, placed_by, written_in
from turnout.dialects.error_body.wrapped import Embedded

_MOST_ENTRIES = 64
"""Of a list."""


class Texts:
    """Collects what `ErrorBody` has of the same names."""

    def __init__(self, embedded: Embedded) -> None:
        self.texts: list[str] = []
        self.names: list[str] = []
        self.param = ""
        self.placed: list[Placed] = []
        self.counts: dict[str, int] = {}
        self._embedded = embedded

    def collect(self, value: Any, depth: int = 0) -> None:
        """What decoded JSON, or a text, says."""
        if depth > DEEPEST:
            return
        if isinstance(value, str):
            self._add_text(value, depth)
        elif isinstance(value, list):
            for each in value[:_MOST_ENTRIES]:
                if isinstance(each, dict):
                    self._collect_entry(each, depth + 1)
        elif isinstance(value, dict):
            self._collect_object(value, depth)

    def _collect_entry(self, entry: dict[str, Any], depth: int) -> None:
        if not isinstance(entry.get("loc"), list):
            self.collect(entry, depth)
        elif (placed := placed_by(entry)) is not None:
            self.placed.append(placed)

    def _collect_object(self, value: dict[str, Any], depth: int) -> None:
        self.names += [value[name] for name in ("type", "code") if isinstance(value.get(name), str)]
        if isinstance(value.get("param"), str):
            self.param = self.param or value["param"]
        for name in ("n_prompt_tokens", "n_ctx"):
            if type(value.get(name)) is int:
                self.counts[name] = value[name]
        for name in ENVELOPES:
            if name in value:
                self.collect(value[name], depth + 1)

    def _add_text(self, text: str, depth: int) -> None:
        inner = self._embedded.object_in(text)
        if inner is not None:
            self.collect(inner, depth + 1)
            text = text[: text.find("{")]
        if written := written_in(text):
            self.placed += written
            return
        self.placed += listed_in(text)
        if text.strip():
            self.texts.append(text.strip())
