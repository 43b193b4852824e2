"""Who has answered, as the client is told in a header."""

from __future__ import annotations

import re
from collections.abc import Iterable

from turnout.exchange import Attempt
from turnout.redaction.secret import Secret
from turnout.redaction.text import redact

_UNFIT_FOR_HEADER = re.compile(r"[^!-~]")
"""A model's name may be the client's, and hold anything."""


def served_by(attempt: Attempt, known: Iterable[Secret] = ()) -> str:
    """The value of the header for an attempt: visible ASCII characters alone, and no secret of those that are known."""
    return _UNFIT_FOR_HEADER.sub("?", redact(f"{attempt.target.provider}/{attempt.model}", known))
