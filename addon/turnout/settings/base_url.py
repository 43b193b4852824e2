"""The address of a provider, as people write it: with or without what is appended to it."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from turnout.redaction.names import is_secret_parameter
from turnout.redaction.secret import MASK
from turnout.redaction.text import redact

CHAT_ENDPOINT = "/chat/completions"
"""What is appended to the base URL of a provider of kind `openai`."""

_APPENDED = re.compile(r"(.*)/v1(?:/messages(?:/count_tokens)?)?")
"""What a base URL may end in although it is appended: OpenAI's dialect writes base URLs with `/v1`
(BerriAI/litellm#36956), and documentation shows the whole address of the endpoint."""

_OTHERS = re.compile(
    r".*?/((?:chat/)?completions|complete|responses|embeddings|messages|models(?:/[^/]*)?|[^/]*:(?:stream)?generateContent)",
    re.IGNORECASE,
)
"""Endpoints of other dialects, and those that stand elsewhere than under `/v1`."""

_OTHERS_OF_CHAT = re.compile(
    r".*?/(completions|complete|responses|embeddings|messages(?:/count_tokens)?|[^/]*:(?:stream)?generateContent"
    r"|(?<=/v1/)models(?:/[^/]*)?)",
    re.IGNORECASE,
)
"""The same for Chat Completions. `/models` elsewhere than under `/v1` is a base URL: Azure AI Foundry has one."""


def messages_base_url(value: str) -> str:
    """The URL that `/v1/messages` can be appended to. Raises ValueError for what cannot be one."""
    scheme, netloc, path = _parts(value, "https://api.example.com/anthropic")
    if appended := _APPENDED.fullmatch(path):
        path = appended[1].rstrip("/")
    if found := _OTHERS.fullmatch(path):
        chat = found[1].lower().endswith("completions")
        raise ValueError(
            f"{value!r} is the address of another endpoint ({found[1]}), which Turnout does not speak"
            f"{' there' if chat else ''}. /v1/messages is appended to a base URL; write the one that the provider "
            f"gives for Anthropic's API or for Claude Code{_INSTEAD if chat else ''}"
        )
    return urlunsplit((scheme, netloc, path, "", ""))


_INSTEAD = ', or set kind = "openai" for one that speaks OpenAI\'s Chat Completions'


def chat_base_url(value: str) -> str:
    """The URL that `/chat/completions` can be appended to. Raises ValueError for what cannot be one.

    It keeps its path, which not every provider begins with `/v1`; where there is none, that is understood.
    """
    scheme, netloc, path = _parts(value, "https://api.example.com/v1", query_key="query")
    path = path.removesuffix(CHAT_ENDPOINT).rstrip("/")
    if found := _OTHERS_OF_CHAT.fullmatch(path):
        messages = found[1].lower().startswith("messages")
        raise ValueError(
            f"{value!r} is the address of another endpoint ({found[1]}): a provider of kind openai is asked for "
            f"{CHAT_ENDPOINT}, which is appended to a base URL such as https://api.example.com/v1"
            + ('. For one that speaks Anthropic\'s API, set kind = "anthropic"' if messages else "")
        )
    return urlunsplit((scheme, netloc, path or "/v1", "", ""))


def check_query(query: dict[str, str]) -> dict[str, str]:
    """The parameters of an endpoint's query. Raises ValueError, without the value, for one that looks like a secret."""
    for name, value in query.items():
        if is_secret_parameter(name) or redact(value) != value:
            raise ValueError(f"{name} looks like a secret, and a query is logged; keys belong into credentials")
    return query


def _shown(value: str) -> str:
    """What was written in the place of a URL: without a user, and nothing of what may be a key at a wrong place."""
    without_user = re.sub(r"^([A-Za-z]+://)?.*@", rf"\1{MASK}@", value)
    is_key = len(value) > _LONGEST_WORD and not re.search("[.:/]", value)
    return "" if is_key else f"{without_user!r} "


_LONGEST_WORD = 15


def _parts(value: str, example: str, query_key: str = "") -> tuple[str, str, str]:
    """Scheme, host with port, and path without needless slashes."""
    parts = urlsplit(value.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{_shown(value)}is not an http(s) URL; write for example {example}")
    if parts.username or parts.password or parts.query or parts.fragment:
        names = ", ".join(name for name, _ in parse_qsl(parts.query, keep_blank_values=True))
        hint = f"; what else the query of a request needs ({names}) belongs into {query_key}" if query_key else ""
        raise ValueError(
            "a base URL holds no user, password, query or fragment; keys belong into credentials"
            + (hint if names else "")
        )
    _ = parts.port  # raises ValueError when it is not a number in range
    return parts.scheme, parts.netloc, re.sub("//+", "/", parts.path).rstrip("/")
