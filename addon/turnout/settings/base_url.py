"""The address of a provider, as people write it: with or without what is appended to it."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator

_APPENDED = re.compile(r"(.*)/v1(?:/messages(?:/count_tokens)?)?")
"""What a base URL may end in although it is appended: OpenAI's dialect writes base URLs with `/v1`
(BerriAI/litellm#36956), and documentation shows the whole address of the endpoint."""

_OTHERS = re.compile(
    r".*?/((?:chat/)?completions|complete|responses|embeddings|messages|models(?:/[^/]*)?|[^/]*:(?:stream)?generateContent)",
    re.IGNORECASE,
)
"""Endpoints of other dialects, and those that stand elsewhere than under `/v1`."""


def check_base_url(value: str) -> str:
    """The URL that `/v1/messages` can be appended to. Raises ValueError for what cannot be one."""
    parts = urlsplit(value.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{value!r} is not an http(s) URL; write for example https://api.example.com/anthropic")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("a base URL holds no user, password, query or fragment; keys belong into credentials")
    _ = parts.port  # raises ValueError when it is not a number in range
    path = re.sub("//+", "/", parts.path).rstrip("/")
    if appended := _APPENDED.fullmatch(path):
        path = appended[1].rstrip("/")
    if found := _OTHERS.fullmatch(path):
        raise ValueError(
            f"{value!r} is the address of another endpoint ({found[1]}), which Turnout does not speak. /v1/messages is "
            "appended to a base URL; write the one that the provider gives for Anthropic's API or for Claude Code"
        )
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


BaseUrl = Annotated[str, AfterValidator(check_base_url)]
"""Without a slash at its end, and without the `/v1` that every endpoint begins with."""
