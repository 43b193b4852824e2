"""What a secret looks like in text.

Patterns are written for two engines: Python's `re` says where a secret stands, and the regex engine of pydantic, which
reads a megabyte in less than a millisecond, says whether it is worth looking. Both are built from the same rows, which
therefore use nothing that only one of them knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Annotated

_TOKEN = "A-Za-z0-9_-"
_KEYS = (
    rf"sk-ant-[{_TOKEN}]{{8,}}",  # Anthropic: keys, OAuth, admin keys, session cookies
    # OpenAI, OpenRouter, DeepSeek, Moonshot, MiniMax, DashScope, LiteLLM. `sk-container-id-1` is a class in CSS.
    rf"sk-[a-z_-]{{0,40}}[A-Z0-9][{_TOKEN}]{{7,}}",
)
"""Begin where a word begins; `task-` is a word."""

_TOKENS = (
    r"(?:csk|xai|pplx)-[A-Za-z0-9]{30,}",  # Cerebras, xAI, Perplexity
    rf"(?:nvapi|tvly|glpat|GOCSPX)-[{_TOKEN}]{{20,}}",  # NVIDIA, Tavily, GitLab, Google OAuth clients
    r"(?:gsk|hf|r8|fw|npm|gh[pousr])_[A-Za-z0-9]{22,}",  # Groq, Hugging Face, Replicate, Fireworks, npm, GitHub
    r"(?:[sr]k_(?:live|test)|github_pat|tgp_v1)_[A-Za-z0-9_]{16,}",  # Stripe, GitHub, Together
    r"xox[a-z]-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,}",  # Slack
    rf"ya29\.[{_TOKEN}]{{20,}}|1//0[{_TOKEN}]{{30,}}",  # Google access and refresh tokens
    rf"pypi-AgEIcHlwaS5vcmc[{_TOKEN}]{{16,}}",
    # JWT and JWE: MiniMax keys, tokens of Google, Entra and others.
    rf"eyJ[{_TOKEN}]{{10,}}\.[{_TOKEN}]{{10,}}(?:\.[{_TOKEN}]*){{1,3}}",
)
"""Begin where a word begins, and are hardly ever seen elsewhere: each holds a character that base64 has not."""

_IN_BASE64 = (
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",  # AWS access key ids
    rf"AIza[{_TOKEN}]{{35}}",  # Google
)
"""Could stand by chance inside an image or the signature of a thinking block, and are not looked for there."""

_VALUE = "A-Za-z0-9._~+/=-"
_QUOTES = r"""["'\\ \t]{0,8}"""
_BREAK = r"(?:[ \t\r\n]|\\{1,4}[nr])"
# Each as it is written: ignoring case would cost more than all other rows together.
_CREDENTIAL_NAMES = (
    "api_key|API_KEY|apiKey|ApiKey|api-key|Api-Key|apikey|APIKEY|access_token|ACCESS_TOKEN|accessToken|refresh_token"
    "|REFRESH_TOKEN|refreshToken|id_token|AUTH_TOKEN|auth_token|session_token|SESSION_TOKEN|SessionToken"
    "|client_secret|CLIENT_SECRET|clientSecret|secret_access_key|SECRET_ACCESS_KEY|SecretAccessKey|AccountKey"
    "|x-amz-security-token|X-Amz-Security-Token"
)
_IN_CONTEXT = (
    rf"sk-ant-[a-z]{{2,8}}[0-9]{{2}}-[{_TOKEN}]{{4,}}",
    # AWS session tokens and Bedrock's keys are base64 of texts that begin like this.
    r"(?:IQoJb3JpZ2lu|ABSKQmVkcm9ja0FQSUtleS|YmVkcm9jay5hbWF6b25hd3MuY29t)[A-Za-z0-9+/=%]{16,}",
    rf"(?i:authorization){_QUOTES}[:=]{_QUOTES}(?i:bearer|basic|token)[ \t]{{1,4}}([{_VALUE}]{{8,}})",
    # "bearer authentication" is prose: a token is long, or holds a digit.
    rf"(?i:bearer)[ \t]{{1,4}}([A-Za-z._~+/=-]{{0,6}}[0-9][{_VALUE}]{{5,}}|[A-Za-z._~+/=-]{{7,64}}[0-9][{_VALUE}]*"
    rf"|[{_VALUE}]{{24,}})",
    r"Basic[ \t]{1,4}([a-z+/]{0,64}[A-Z0-9][A-Za-z0-9+/]{7,}={1,2})",
    # Keys without a form of their own: `MISTRAL_API_KEY=…`, `"access_token": "…"`. Never a number, which has no quotes.
    rf"(?:{_CREDENTIAL_NAMES}){_QUOTES}[:=]{_QUOTES}("
    r"(?:[A-Za-z_/=~][A-Za-z_+/=~-]{0,40}[0-9]|[0-9]{1,40}[A-DF-Za-df-z_/=~])[A-Za-z0-9_+/=~-]{18,})",
    r"(?i:x-amz-signature|x-goog-signature|[?&]sig)=([A-Za-z0-9%+/=]{40,})",
    # https://ada:password@host, but not the port in mitmproxy's reverse:http://host:8080@8081
    r"://[A-Za-z0-9._~%!$&*+-]{0,128}:([0-9]{0,64}[A-Za-z._~%!&+=-][A-Za-z0-9._~%!&+=-]{2,128})@",
    rf"-----BEGIN [A-Z ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----{_BREAK}{{0,8}}"
    rf"(?:[A-Za-z-]{{4,20}}: [ A-Za-z0-9,.()-]{{1,80}}{_BREAK}{{1,8}}){{0,4}}"
    rf"([A-Za-z0-9+/=]{{16,}}(?:{_BREAK}{{1,16}}[A-Za-z0-9+/=]{{16,}})*(?:{_BREAK}{{1,16}}[A-Za-z0-9+/=]{{1,15}})?)",
)
"""Known by what stands around them. The secret is the group, where there is one."""

_AFTER_ESCAPE = r"\\[bfnrt]", r"\\u[0-9a-fA-F]{4}", r"%[0-9A-Fa-f]{2}"
"""Where a word begins after a letter or a digit: in JSON `\\nsk-…` is a new line and a key."""

_ROWS = 4
"""Rows in one pattern of the fast engine: with many more it can no longer search for their first letters alone."""

_WORD = re.compile(rf"[{_TOKEN}]*")


def prepare() -> None:
    """Build the patterns now. It takes a tenth of a second, for which the first request would have to wait."""
    _secret_text(), suspicious()


@cache
def _secret_text() -> re.Pattern[str]:
    escape = "|".join(f"(?<={before})" for before in _AFTER_ESCAPE)
    rows = (
        rf"(?:(?<![\\{_TOKEN}])|{escape})(?:{'|'.join((*_KEYS, *_TOKENS))})",
        rf"(?:(?<![\\+/{_TOKEN}])|{escape})(?:{'|'.join(_IN_BASE64)})",
        *_IN_CONTEXT,
    )
    return re.compile("|".join(rows))


@cache
def suspicious() -> Callable[[str], bool]:
    """A test of a whole text that is true wherever `_secret_text` matches, and seldom elsewhere."""
    from pydantic import StringConstraints, TypeAdapter

    keys = rf"(?:(?-u:\b)|{'|'.join(_AFTER_ESCAPE)})(?:{'|'.join(_KEYS)})"
    rows = (*_TOKENS, *_IN_BASE64, *_IN_CONTEXT)
    patterns = (keys, *("|".join(rows[start : start + _ROWS]) for start in range(0, len(rows), _ROWS)))
    # Without an exception for every text that is harmless, as `validate_python` would raise.
    checks = [TypeAdapter(Annotated[str, StringConstraints(pattern=it)]).validator.isinstance_python for it in patterns]

    def is_suspicious(text: str) -> bool:
        # No row asks for anything but ASCII, and lone surrogates cannot be passed on.
        ascii = text if text.isascii() else text.encode("ascii", "replace").decode()
        return any(check(ascii) for check in checks)

    return is_suspicious


def _span(found: re.Match[str]) -> tuple[int, int]:
    return found.span(found.lastindex or 0)


def found_in(text: str, position: int, limit: int) -> Iterator[tuple[int, int]]:
    """Where (start, end) secrets stand that begin before `limit`.

    What follows one without a gap is taken for a part of it. Nothing that follows begins a word only because the secret
    has gone, so that one look is enough, whatever the text is made of.
    """
    pattern = _secret_text()
    while found := pattern.search(text, position, limit):
        found = pattern.match(text, found.start()) or found  # it may go on beyond the limit
        start, end = _span(found)
        rest = _WORD.match(text, end)
        end = rest.end() if rest is not None else end
        position = max(found.end(), end)
        yield start, end
