"""Thoughts that a model writes at the beginning of its text, between tags, where its server leaves them there."""

from __future__ import annotations

from typing import Literal

Kind = Literal["text", "thinking"]

_TAGS = ("<think>", "<thought>")
"""DeepSeek R1, Qwen, MiniMax and many more; Gemini."""


_MOST_BLANK = 1000
"""Characters before a tag, all of them blank."""


class InlineThoughts:
    """Tells the thoughts of one answer from its text, in whatever pieces they come."""

    def __init__(self) -> None:
        self.over = False
        """All that follows is text."""
        self._end = ""
        """The tag for which is waited."""
        self._held = ""
        """What may be a part of a tag."""
        self._after = False
        """Between the thoughts and the text, where what is blank belongs to the tags."""

    @property
    def holds(self) -> bool:
        """Something has come of which is not certain what it is."""
        return self._held != ""

    def split(self, text: str) -> list[tuple[Kind, str]]:
        """What this piece makes certain."""
        if self.over:
            return [("text", text)]
        if self._after:
            text = text.lstrip()
            self.over = bool(text)
            return [("text", text)] if text else []
        self._held += text
        if not self._end:
            begin = self._held.lstrip()
            tag = next((tag for tag in _TAGS if begin.startswith(tag)), "")
            if not tag:
                may_come = len(self._held) < _MOST_BLANK and any(tag.startswith(begin) for tag in _TAGS)
                return [] if may_come else self._as_text()
            self._end = f"</{tag[1:]}"
            self._held = begin[len(tag) :]
        return self._inside()

    def rest(self) -> list[tuple[Kind, str]]:
        """What has been held, as something else follows than text."""
        held, self._held = self._held, ""
        if self._end:
            return [("thinking", held)] if held else []
        self.over = self.over or bool(held)
        return [("text", held)] if held else []

    def _as_text(self) -> list[tuple[Kind, str]]:
        self.over = True
        held, self._held = self._held, ""
        return [("text", held)]

    def _inside(self) -> list[tuple[Kind, str]]:
        held, end = self._held, self._end
        at = held.find(end)
        if at < 0:
            begun = next((size for size in range(len(end) - 1, 0, -1) if held.endswith(end[:size])), 0)
            self._held = held[len(held) - begun :]
            told = held[: len(held) - begun]
            return [("thinking", told)] if told else []
        self._held = self._end = ""
        self._after = True
        thoughts: list[tuple[Kind, str]] = [("thinking", held[:at])] if at else []
        return thoughts + self.split(held[at + len(end) :])
