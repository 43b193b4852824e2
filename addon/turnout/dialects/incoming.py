"""An answer as it comes in, made one of the Messages API. One that is in its words already is passed on."""

from __future__ import annotations

from collections.abc import Sequence

from turnout.dialects.base import Decoder, Translation
from turnout.dialects.messages.signatures import fingerprint, minted


class Incoming:
    """One answer: event by event, or in one piece. `translation` None: the provider speaks the Messages API."""

    def __init__(self, translation: Translation | None) -> None:
        self._translation = translation
        self._decoder: Decoder | None = None
        self._ended = False

    @property
    def whole(self) -> bool:
        """The provider of another dialect has said all, and `end` has the end of a message."""
        return self._decoder is not None and self._decoder.whole

    def events(self, data: bytes) -> bytes:
        """What bytes of a stream say. b"" where they say nothing yet."""
        if self._translation is None or not data:
            return data
        if self._decoder is None:
            self._decoder = self._translation.decoder()
        return self._decoder.feed(data)

    def end(self) -> bytes:
        """What is left to be said where a stream has ended; b"" when asked again."""
        if self._decoder is None or self._ended:
            return b""
        self._ended = True
        return self._decoder.finish()

    def in_one_piece(self, content: bytes, *, as_events: bool) -> bytes:
        """The same of a whole answer: a stream, or JSON. What cannot be translated is the same object."""
        if self._translation is None:
            return content
        return self.events(content) + self.end() if as_events else self._translation.whole(content)

    def minted(self, answer: bytes) -> Sequence[str]:
        """The fingerprints of the thinking blocks. `answer`: as it came from the provider, or as it was made here."""
        if self._decoder is None:
            return minted(answer)
        return [fingerprint(signature, "") for signature in dict.fromkeys(self._decoder.signatures)]
