"""The `reasoning_details` of OpenRouter and MiniMax: what is to be read of them, and what has to be given back.

https://openrouter.ai/docs/use-cases/reasoning-tokens: elements of the types `reasoning.text` (with a signature, where
the model has any), `reasoning.summary` and `reasoning.encrypted`, given back in the order in which they came. MiniMax
signs nothing, and wants the whole message back all the same (platform.minimax.io, "Compatible OpenAI API").
"""

from __future__ import annotations

from typing import Any

_TEXTS = {"reasoning.text": "text", "reasoning.summary": "summary"}
"""Types that can be read, and come in pieces."""


class ReasoningDetails:
    """The elements since the last seal."""

    def __init__(self) -> None:
        self._elements: list[dict[str, Any]] = []
        self._pieces: list[str] = []
        """The text of the last element, if that is one of those that can be read."""

    def add(self, elements: list[dict[str, Any]]) -> str:
        """Keeps the elements, and returns what is to be read of them."""
        texts: list[str] = []
        for element in elements:
            member = _member(element)
            piece = element.get(member)
            text = piece if isinstance(piece, str) else ""
            texts.append(text)
            last = self._elements[-1] if self._elements else None
            if last is not None and member and _same(last, element):
                last |= {name: value for name, value in element.items() if value is not None and name != member}
                self._pieces.append(text)
            else:
                self._settle()
                self._elements.append(element)
                self._pieces = [text]
        return "".join(texts)

    def taken(self) -> list[dict[str, Any]]:
        """The elements, pieces joined."""
        self._settle()
        elements, self._elements = self._elements, []
        return elements

    def _settle(self) -> None:
        last = self._elements[-1] if self._elements else {}
        if member := _member(last):
            last[member] = "".join(self._pieces)
        self._pieces = []


def _member(element: dict[str, Any]) -> str:
    """Which member of an element is its text; "" for one without."""
    kind = element.get("type")
    return _TEXTS.get(kind, "") if isinstance(kind, str) else ""


def _same(last: dict[str, Any], element: dict[str, Any]) -> bool:
    """Whether an element goes on with the last one. One that is signed is complete."""
    if last.get("signature") or last.get("type") != element.get("type"):
        return False
    return all(last.get(name) == element[name] for name in ("index", "id") if element.get(name) is not None)
