"""The keys under which vendors put what is wrong, and how deep it is looked for."""

from __future__ import annotations

WORDS = ("message", "Message", "msg", "status_msg", "detail")
"""Of what an error says: a text, a list of errors, or in gateways the error of another."""
INNER = ("error", "upstream_error", "original_error", "inner_error", "cause")
"""Of an error, that of another in it."""
ENVELOPES = (*WORDS, *INNER, "base_resp", "errors", "details", "metadata", "raw")
"""Of all that holds texts, or the next envelope, in this order. Never of what quotes the request, such as `input`."""

DEEPEST = 8
"""Levels of lists and objects that are searched."""
