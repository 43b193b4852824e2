"""What errors quote, left out: that is not what they say."""

from __future__ import annotations

import re

# Errors quote what a user wrote. Behind the word for a message, or in an exception as Python writes it, stands an error
# again, with quotations of its own. An apostrophe has a letter on one side, and so neither opens nor closes one.
_QUOTATION = re.compile(
    r"(?P<error>['\"]?\b(?:message|msg|error|detail)\\?['\"]?\s?[:=]\s?\\?['\"]|(?:Error|Exception)\(['\"])"
    r"|(?<!\w)(?:'.+?'|\".+?\"|`.+?`|‘.+?’)(?!\w)|“[^”]+”",
    re.DOTALL,
)
_CLOSING = "'\"`’”"


def without_quotations(text: str, most: int) -> str:
    """The first characters of a text, `most` of them, without what they quote.

    A single word in quotation marks stays, as it may be a name or a code.
    """
    if len(text) > most:
        text = f"{text[:most]} {_CLOSING}"  # of a quotation that goes on beyond
    return _QUOTATION.sub(lambda match: match[0] if match["error"] or not re.search(r"\s", match[0]) else "''", text)
