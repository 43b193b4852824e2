"""Who minted which thinking block. A provider refuses the signatures of another one."""

from __future__ import annotations

import logging
import re
from collections import Counter, OrderedDict
from collections.abc import Iterable
from pathlib import Path

import msgspec

from turnout.health.state_file import StateWriter
from turnout.wire.signatures import FINGERPRINT_LENGTH
from turnout.wire.splice import UNREADABLE

logger = logging.getLogger("turnout")

CAPACITY = 20_000
"""Blocks that are remembered, about 3 MB: weeks of work. The one not seen for longest is forgotten first."""

_FINGERPRINT = re.compile(rf"[0-9a-f]{{{FINGERPRINT_LENGTH}}}")
_FILE = msgspec.json.Decoder(dict[str, str])


class SignatureLedger:
    """Remembers by fingerprint which provider signed a thinking block.

    It holds hashes, never a signature or a text, and so does its file.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._signers: OrderedDict[str, str] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self.write = StateWriter("known thinking signatures").write
        """Replaces the file by what `encoded` gave. Blocks on the disk, and never raises."""

    def __len__(self) -> int:
        return len(self._signers)

    def note(self, fingerprints: Iterable[str], signer: str) -> None:
        """These blocks carry the signatures of this signer."""
        for fingerprint in fingerprints:
            self._forget(fingerprint)
            self._signers[fingerprint] = signer
            self._counts[signer] += 1
        while len(self._signers) > self._capacity:
            self._forget(next(iter(self._signers)))

    def _forget(self, fingerprint: str) -> None:
        signer = self._signers.pop(fingerprint, None)
        if signer is not None:
            self._counts[signer] -= 1
            if not self._counts[signer]:
                del self._counts[signer]

    def minted_by(self, fingerprint: str) -> str | None:
        """Who signed this block; None when it is not known."""
        signer = self._signers.get(fingerprint)
        if signer is not None:
            self._signers.move_to_end(fingerprint)  # its conversation goes on
        return signer

    def knows_others_than(self, signer: str) -> bool:
        """Whether a block that somebody else signed is known. Costs next to nothing."""
        return len(self._counts) > (signer in self._counts)

    # --- from one run to the next ---

    def encoded(self) -> bytes:
        """What `write` puts into the file: a JSON object of fingerprint and signer, the oldest first."""
        return msgspec.json.encode(self._signers)

    def load(self, file: Path) -> None:
        """Take over what an earlier run knew, as older than all that is known by now. Blocks on the disk.

        No file is no fault; one that cannot be read is ignored with a warning.
        """
        try:
            found = _FILE.decode(file.read_bytes())
            if not all(signer and _FINGERPRINT.fullmatch(fingerprint) for fingerprint, signer in found.items()):
                raise ValueError("it holds something else than fingerprints")
        except FileNotFoundError:
            return
        except (OSError, *UNREADABLE) as error:
            logger.warning("%s: known thinking signatures are ignored (%s)", file, error)
            return
        known = list(self._signers.items())
        for fingerprint, signer in (*found.items(), *known):
            self.note((fingerprint,), signer)
