"""Which tool call a piece belongs to, however its server counts them.

OpenAI numbers the calls and names id and function once. Others repeat both in every chunk, bring them later, number all
calls 0, or do not number them: Gemini sends each call whole in a chunk of its own, without an index.
"""

from __future__ import annotations

from typing import Any

from turnout.dialects.chat.chunk import ToolCall
from turnout.wire.splice import any_top_level


class Call:
    """A tool call so far."""

    __slots__ = ("client_id", "closed", "extra", "flows", "id", "is_odd", "name", "pieces", "seen")

    def __init__(self) -> None:
        self.id = ""
        """The provider's."""
        self.name = ""
        self.pieces: list[str] = []
        """Its arguments."""
        self.extra: Any = None
        """What has to be given back with it, as long as it is not sealed."""
        self.client_id = ""
        """Empty until the client has been given the call."""
        self.flows = False
        """The client gets the pieces as they come."""
        self.is_odd = False
        """They begin like no object: they wait until they are whole."""
        self.closed = False
        self.seen = (0, False)
        """After how many pieces `is_whole` was looked at, and what it was: others may wait for it, piece by piece."""

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    def begin_again(self, arguments: str) -> None:
        """What has come before was none of it."""
        self.pieces, self.seen = [arguments], (0, False)

    @property
    def is_begun(self) -> bool:
        """Something of its arguments has come."""
        return any(piece.strip() for piece in self.pieces)

    @property
    def is_whole(self) -> bool:
        """Its arguments are a JSON object."""
        if self.seen[0] != len(self.pieces):
            last = next((piece for piece in reversed(self.pieces) if piece.strip()), "")
            self.seen = len(self.pieces), last.rstrip().endswith("}") and is_object(self.arguments)
        return self.seen[1]

    @property
    def is_cut(self) -> bool:
        """Its arguments have begun, and are not whole."""
        return self.is_begun and not self.is_whole


def is_object(text: str) -> bool:
    return any_top_level(text.encode("utf-8", "surrogatepass")) is not None


class Calls:
    """The calls of one answer."""

    def __init__(self) -> None:
        self._by_index: dict[int, Call] = {}
        self._by_id: dict[str, Call] = {}
        self._last: Call | None = None

    def take(self, told: ToolCall, place: int | None) -> tuple[Call, str, bool]:
        """The call, the piece of its arguments that came, and whether it is a new one.

        `place`: the call's in the list in which it came, where that tells calls apart.
        """
        function = told.function
        name, piece = (function.name or "", function.arguments or "") if function is not None else ("", "")
        index = told.index if told.index is not None else place
        known = self._by_index.get(index) if index is not None else self._by_id.get(told.id or "", self._last)
        new = known is None or (
            bool(told.id or name) and _is_another(known, told.id or "", name, piece, numbered=index is not None)
        )
        call = Call() if known is None or new else known
        if index is not None:
            self._by_index[index] = call
        call.name = call.name or name
        if told.id:
            call.id = told.id
            self._by_id[told.id] = call
        if piece:
            call.pieces.append(piece)
        if told.extra_content:
            call.extra = told.extra_content
        self._last = call
        return call, piece, new


def _is_another(call: Call, id: str, name: str, piece: str, *, numbered: bool) -> bool:
    """Whether a piece begins a call of its own, and does not go on with the one whose number or turn it has."""
    if id and id == call.id:
        return False
    other_id = bool(id and call.id)
    if other_id and not numbered:
        return True
    # Older vLLM invents an id for every piece: without a name it tells nothing.
    if not name or not call.name or call.is_cut:
        return False
    return other_id or name != call.name or (call.is_whole and bool(piece.strip()))
