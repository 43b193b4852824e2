"""Who minted which thinking block. A provider refuses the signatures of another one."""

from __future__ import annotations

import logging
import re
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec

from turnout.dialects.messages.signatures import FINGERPRINT_LENGTH, is_elsewhere, signer_of
from turnout.health.state_file import content
from turnout.wire.splice import UNREADABLE

logger = logging.getLogger("turnout")

CAPACITY = 20_000
"""Blocks that are remembered, about 3 MB: weeks of work. The one not seen for longest is forgotten first."""

_HEXADECIMAL = re.compile("[0-9a-f]*")
_FILE = msgspec.json.Decoder(dict[str, str])


class SignatureLedger:
    """Remembers by fingerprint which provider signed a thinking block: its mark (`dialects.messages.signatures`).

    It holds hashes, never a signature or a text, and so does its file.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._signers: OrderedDict[str, str] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._fresh: dict[str, int] = {}
        """Blocks seen since the file was written, the latest last, with the revision that writes them."""
        self.revision = 0
        """Grows with every note."""

    def __len__(self) -> int:
        return len(self._signers)

    def note(self, fingerprints: Iterable[str], signer: str) -> None:
        """These blocks carry the signatures of this signer, or its whole mark."""
        self.revision += 1
        for fingerprint in fingerprints:
            self._forget(fingerprint)
            self._signers[fingerprint] = signer
            self._counts[signer] += 1
            self._fresh[fingerprint] = self.revision
        self._make_room()

    def _make_room(self) -> None:
        while len(self._signers) > self._capacity:
            self._forget(next(iter(self._signers)))

    def _forget(self, fingerprint: str) -> None:
        self._fresh.pop(fingerprint, None)
        signer = self._signers.pop(fingerprint, None)
        if signer is not None:
            self._counts[signer] -= 1
            if not self._counts[signer]:
                del self._counts[signer]

    def minted_by(self, fingerprint: str) -> str | None:
        """The mark of this block: who signed it, and for what; None when it is not known."""
        signer = self._signers.get(fingerprint)
        if signer is not None:
            self._signers.move_to_end(fingerprint)  # its conversation goes on
            self._fresh.pop(fingerprint, None)
            self._fresh[fingerprint] = self.revision + 1
        return signer

    def knows_others_than(self, signer: str, bound_to: str = "") -> bool:
        """Whether a block is known that this signer does not take from blocks of the mark `bound_to`, if it binds them.

        Costs next to nothing: there are few marks.
        """
        return any(signer_of(mark) != signer or is_elsewhere(mark, bound_to) for mark in self._counts)

    # --- from one run to the next ---

    def change(self, written: int) -> SignatureChange:
        """What the file is to be told, after it was told the revision `written`."""
        self._fresh = {fingerprint: revision for fingerprint, revision in self._fresh.items() if revision > written}
        fresh = {fingerprint: self._signers[fingerprint] for fingerprint in self._fresh}
        return SignatureChange(msgspec.json.encode(self._signers), fresh, self._capacity, self.revision)

    def load(self, file: Path) -> None:
        """Take over what an earlier run knew, as older than all that is known by now. Blocks on the disk.

        No file is no fault; one that cannot be read is ignored with a warning.
        """
        try:
            kept = content(file)
            if kept is None:
                return
            found = _read(kept)
        except (OSError, *UNREADABLE) as error:
            logger.warning("%s: known thinking signatures are ignored (%s)", file, error)
            return
        older = {fingerprint: signer for fingerprint, signer in found.items() if fingerprint not in self._signers}
        self._signers = OrderedDict({**older, **self._signers})
        self._counts = Counter(self._signers.values())
        self._make_room()


@dataclass(frozen=True, slots=True)
class SignatureChange:
    """All that a ledger knows, the oldest first, and which of it is new since its file was written."""

    known: bytes
    """As the file would hold it: encoding is the fastest way to copy it."""
    fresh: Mapping[str, str]
    capacity: int
    revision: int

    def merged(self, found: bytes | None) -> bytes:
        """What to write: a JSON object of fingerprint and signer. What is new here is newest, what the file lacks of
        the rest is oldest."""
        known = _FILE.decode(self.known)
        try:
            theirs = {} if found is None else _read(found)
        except UNREADABLE:
            theirs = {}
        missing = known.keys() - theirs.keys()
        merged = {each: signer for each, signer in known.items() if each in missing} if missing else {}
        merged |= theirs
        for each, signer in self.fresh.items():
            merged.pop(each, None)
            merged[each] = signer
        return msgspec.json.encode(dict(islice(merged.items(), max(0, len(merged) - self.capacity), None)))


def _read(data: bytes) -> dict[str, str]:
    """The signers by fingerprint. Raises one of UNREADABLE for anything else."""
    found = _FILE.decode(data)
    # In few steps for all: a file is read again for every write.
    if not (set(map(len, found)) <= {FINGERPRINT_LENGTH} and _HEXADECIMAL.fullmatch("".join(found))):
        raise ValueError("it holds something else than fingerprints")
    if not all(found.values()):
        raise ValueError("it names no signer")
    return found
