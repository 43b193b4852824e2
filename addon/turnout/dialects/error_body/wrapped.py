"""What a gateway has put into its own error: the answer of the provider behind it, which tells the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from turnout.dialects.error_body.keys import INNER, WORDS

_LONGEST = 65_536
"""Characters of a text that is searched. Error bodies are shorter."""

# What stands before a wrapped answer: LiteLLM's "AnthropicException - ", one-api's "upstream error: ", "status code:
# 400, body: ". A schema or an example that a sentence quotes has no such words before it.
_ANNOUNCED = re.compile(
    r"(?:exception|\b(?:error|upstream|response|body|returned|status|code|failed|failure|provider|details?|message)|\d{3})"
    r"\W*(?:\bb['\"])?\s*$|^\s*$",
    re.IGNORECASE,
)
_DECODER = json.JSONDecoder()


class Embedded:
    """The JSON objects in the texts of one body. Each text is searched once."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, Any] | None] = {}

    def object_in(self, text: str) -> dict[str, Any] | None:
        """The JSON object in a text, from its first brace on, behind words that announce one."""
        if "{" not in text:
            return None
        if text not in self._found:
            self._found[text] = _object_in(text)
        return self._found[text]


def wrapped(envelope: Mapping[str, Any], embedded: Embedded) -> dict[str, Any] | str | None:
    """The answer inside an error of a gateway, one layer further in: an object, or a text; None when there is none.

    Never raises.

    OpenRouter: `error.metadata.raw`, a text that may be JSON. LiteLLM: JSON behind the name of an exception in
    `error.message`. one-api and its kin: JSON in `error.message`. FastAPI: an object, or JSON, under `detail`.
    """
    error = envelope.get("error")
    inner = error if isinstance(error, dict) else {}
    metadata = inner.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    if isinstance(raw, dict):
        return raw
    if isinstance(raw, str) and raw.strip():
        found = embedded.object_in(raw)
        return found if found is not None and _tells(found) else raw.strip()
    for value in _held(envelope, error, inner):
        found = value if isinstance(value, dict) else embedded.object_in(value) if isinstance(value, str) else None
        if found is not None and _tells(found):
            return found
    return None


def _held(envelope: Mapping[str, Any], error: Any, inner: Mapping[str, Any]) -> Iterator[Any]:
    if isinstance(error, str):
        yield error
    yield from (inner[name] for name in (*INNER, *WORDS) if name in inner)
    yield from (envelope[name] for name in (*INNER, *WORDS) if name in envelope and name != "error")


def _tells(found: Mapping[str, Any]) -> bool:
    """It is an error, and not something that the error quotes."""
    told = any(isinstance(found.get(name), str) for name in WORDS)
    return told or isinstance(found.get("error"), dict | str) or found.get("type") == "error"


def _object_in(text: str) -> dict[str, Any] | None:
    start = text.find("{")
    if len(text) > _LONGEST or not _ANNOUNCED.search(text[max(0, start - 80) : start]):
        return None
    rest = text[start:]
    # As it is; from bytes as Python writes them; from JSON whose quotation marks were escaped once too often.
    for form in (rest, rest.replace("\\\\", "\\"), rest.replace('\\"', '"')):
        try:
            found, _ = _DECODER.raw_decode(form)
        except (ValueError, RecursionError):
            continue
        return found if isinstance(found, dict) else None
    return None
