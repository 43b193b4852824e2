"""Signatures of what comes back to a vendor: they hold for the very text, and the very call, that was signed."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

SKIPS_VALIDATION = "skip_thought_signature_validator"
"""What Google lets stand for a signature that is not to be had (ai.google.dev/gemini-api/docs/thought-signatures)."""


def signed_call(name: str, arguments: Any) -> str:
    """A thought signature of Gemini's, for a call with these arguments."""
    return _signature("gemini", name, json.dumps(arguments, sort_keys=True))


def signed_text(text: str) -> str:
    """The signature of an element of `reasoning_details`."""
    return _signature("reasoning.text", text)


def sealed_text(text: str) -> str:
    """The `data` of an encrypted element of `reasoning_details`."""
    return _signature("reasoning.encrypted", text)


def _signature(*said: str) -> str:
    return base64.b64encode(hashlib.sha512("\0".join(said).encode()).digest()).decode()
