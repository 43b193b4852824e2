"""Who minted which thinking block. A provider refuses the signatures of another one."""

from __future__ import annotations

import logging
import re
from collections import Counter, OrderedDict
from collections.abc import Iterable
from pathlib import Path

import msgspec

from turnout.health.state_file import write_atomically
from turnout.wire.signatures import FINGERPRINT_LENGTH
from turnout.wire.splice import UNREADABLE

logger = logging.getLogger("turnout")

CAPACITY = 20_000
"""Blocks that are remembered, about 3 MB: weeks of work. The one not seen for longest is forgotten first."""

_FINGERPRINT = re.compile(rf"[0-9a-f]{{{FINGERPRINT_LENGTH}}}")
_FILE = msgspec.json.Decoder(dict[str, str])


class SignatureLedger:
    """Remembers by fingerprint which family of providers minted a thinking block.

    It holds hashes, never a signature or a text, and so does its file.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._families: OrderedDict[str, str] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._warned = False

    def __len__(self) -> int:
        return len(self._families)

    def note(self, fingerprints: Iterable[str], family: str) -> None:
        """A provider of this family has minted these blocks."""
        for fingerprint in fingerprints:
            self._forget(fingerprint)
            self._families[fingerprint] = family
            self._counts[family] += 1
        while len(self._families) > self._capacity:
            self._forget(next(iter(self._families)))

    def _forget(self, fingerprint: str) -> None:
        family = self._families.pop(fingerprint, None)
        if family is not None:
            self._counts[family] -= 1
            if not self._counts[family]:
                del self._counts[family]

    def minted_by(self, fingerprint: str) -> str | None:
        """The family that minted this block; None when it is not known."""
        family = self._families.get(fingerprint)
        if family is not None:
            self._families.move_to_end(fingerprint)  # its conversation goes on
        return family

    def knows_others_than(self, family: str) -> bool:
        """Whether any block of another family is known. Costs next to nothing."""
        return len(self._counts) > (family in self._counts)

    # --- from one run to the next ---

    def encoded(self) -> bytes:
        """What `write` puts into the file: a JSON object of fingerprint and family, the oldest first."""
        return msgspec.json.encode(self._families)

    def load(self, file: Path) -> None:
        """Take over what an earlier run knew, as older than all that is known by now. Blocks on the disk.

        No file is no fault; one that cannot be read is ignored with a warning.
        """
        try:
            found = _FILE.decode(file.read_bytes())
            if not all(family and _FINGERPRINT.fullmatch(fingerprint) for fingerprint, family in found.items()):
                raise ValueError("it holds something else than fingerprints")
        except FileNotFoundError:
            return
        except (OSError, *UNREADABLE) as error:
            logger.warning("%s: known thinking signatures are ignored (%s)", file, error)
            return
        known = list(self._families.items())
        for fingerprint, family in (*found.items(), *known):
            self.note((fingerprint,), family)

    def write(self, file: Path, data: bytes) -> None:
        """Replace the file by `data`, which comes from `encoded`. Blocks on the disk. A failure is told once."""
        try:
            write_atomically(file, data)
        except OSError as error:
            if not self._warned:
                self._warned = True
                logger.warning("%s: known thinking signatures cannot be kept (%s)", file, error)
