"""The one definition of what is secret: names of headers and of query parameters, and what a secret looks like in text.

Patterns are written for two engines: Python's `re` says where a secret stands, and the regex engine of pydantic, which
reads a megabyte in less than a millisecond, says whether it is worth looking. Both are built from the same rows, which
therefore use nothing that only one of them knows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Annotated
from urllib.parse import unquote_plus

SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-turnout-key",
        "x-turnout-proof",
        "cookie",
        "set-cookie",
        "anthropic-workspace-id",
        "x-amz-security-token",
    }
)
"""Header names (lower-case) whose values may identify or authenticate a person; never logged, noted or recorded, and
never sent on as they came."""

_SECRET_HEADER = re.compile(
    r"(?:.*-)?(?:auth|authorization|(?:api|access|auth|secret|subscription|license)-?key|token|secret|password"
    r"|credentials?|assertion|cookie2?|signature|client-cert)"
)
"""Headers of gateways (`helicone-auth`, `cf-aig-authorization`): these pass, and are masked in what is written."""

_SECRET_QUERY = re.compile(
    r"key|code|code_verifier|assertion|jwt|sig|pwd|passwd|session|sessionid"
    r"|(?:x_(?:amz|goog)_|[a-z]+_)?(?:api_?key|auth|authorization|credential|password|secret|signature|subscription_key)"
    r"|(?:(?:access|refresh|id|auth|session|x_amz_security)_)?token"
)
"""Names of query parameters (lower-case, with underscores) whose values open a door. A `page_token` does not."""

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

_WINDOW, _OVERLAP = 16_384, 1_024
"""Bytes that are looked through at once, and how much of what follows it takes to recognise a secret, at the most."""

_ROWS = 4
"""Rows in one pattern of the fast engine: with many more it can no longer search for their first letters alone."""

_SHORTEST_KNOWN = 8
"""Characters. A shorter key cannot be told from the words of a text."""

_WORD = re.compile(rf"[{_TOKEN}]*")
_NOT_ASCII = bytes(range(128)) + b"\x1f" * 128
_NUMERIC = re.compile(rb"[+-]?[0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]*)?")
_DIGIT = re.compile(rb"[0-9]")

MASK = "***"


class Secret:
    """A string that never shows itself: it prints, formats and pickles as `***`. `reveal()` is the only way in."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that name this value without giving it away (SHA-256, truncated)."""
        return hashlib.sha256(self._value.encode(errors="surrogatepass")).hexdigest()[:12]

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Secret, (MASK,)


def is_secret_header(name: str) -> bool:
    """Whether the value of this header (any case) is masked in everything that is written."""
    lower = name.strip().lower()  # mitmproxy shows a name that a space follows, and refuses it
    return lower in SECRET_HEADERS or _SECRET_HEADER.fullmatch(lower) is not None


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
def _suspicious() -> Callable[[str], bool]:
    """A test of a whole text that is true wherever `_secret_text` matches, and seldom elsewhere."""
    from pydantic import StringConstraints, TypeAdapter

    keys = rf"(?:(?-u:\b)|{'|'.join(_AFTER_ESCAPE)})(?:{'|'.join(_KEYS)})"
    rows = (*_TOKENS, *_IN_BASE64, *_IN_CONTEXT)
    patterns = (keys, *("|".join(rows[start : start + _ROWS]) for start in range(0, len(rows), _ROWS)))
    # Without an exception for every text that is harmless, as `validate_python` would raise.
    checks = [TypeAdapter(Annotated[str, StringConstraints(pattern=it)]).validator.isinstance_python for it in patterns]

    def suspicious(text: str) -> bool:
        # No row asks for anything but ASCII, and lone surrogates cannot be passed on.
        ascii = text if text.isascii() else text.encode("ascii", "replace").decode()
        return any(check(ascii) for check in checks)

    return suspicious


def _span(found: re.Match[str]) -> tuple[int, int]:
    return found.span(found.lastindex or 0)


def prepare() -> None:
    """Build the patterns now. It takes a tenth of a second, for which the first request would have to wait."""
    _secret_text(), _suspicious()


def redact(text: str, known: Iterable[Secret] = ()) -> str:
    """`text` with every known secret and everything that looks like one replaced by `***`."""
    # The longest first: a secret that is part of another must not leave the rest of it standing.
    for value in sorted({secret.reveal() for secret in known if secret}, key=len, reverse=True):
        text = text.replace(value, MASK)
    if not _suspicious()(text):
        return text
    pieces, position = [], 0
    for start, end in _found(text, 0, len(text)):
        pieces += [text[position:start], MASK]
        position = end
    return "".join([*pieces, text[position:]])


def _found(text: str, position: int, limit: int) -> Iterator[tuple[int, int]]:
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


def masked_path(path: str, known: Iterable[Secret] = ()) -> str:
    """A request path with `***` for the values of secret query parameters, and for what is secret anywhere in it."""
    path, mark, query = path.partition("?")
    pairs = re.split("([&;])", query)
    pairs[::2] = [_masked_pair(pair) for pair in pairs[::2]]
    return redact(path + mark + "".join(pairs), known)


def _masked_pair(pair: str) -> str:
    name, _, value = pair.partition("=")
    return f"{name}={MASK}" if value and is_secret_parameter(name) else pair


def is_secret_parameter(name: str) -> bool:
    """Whether the value of a query parameter of this name opens a door."""
    return _SECRET_QUERY.fullmatch(unquote_plus(name).lower().replace("-", "_")) is not None


def without_secret_parameters(path: str) -> str:
    """A request path without the query parameters in which a credential may stand; the same object if it has none."""
    bare, _, query = path.partition("?")
    pairs = query.split("&")
    kept = [pair for pair in pairs if not is_secret_parameter(pair.partition("=")[0])]
    return path if len(kept) == len(pairs) else "?".join(filter(None, (bare, "&".join(kept))))


def credentials_of(headers: Mapping[str, str], path: str) -> frozenset[Secret]:
    """What stands where a client puts credentials: in headers (lower-case names), without a scheme, and in the query.

    One that is too short to be told from a word is left out.
    """
    found = [value.rpartition(" ")[2] for name, value in headers.items() if is_secret_header(name)]
    for pair in re.split("[&;]", path.partition("?")[2]):
        name, _, value = pair.partition("=")
        if is_secret_parameter(name):
            found += [value, unquote_plus(value)]
    return frozenset(Secret(value) for value in found if len(value) >= _SHORTEST_KNOWN)


def without_secrets(data: bytes, known: Iterable[Secret] = ()) -> bytes:
    """`data` with every known secret of eight characters or more, and everything that looks like one, starred out.

    The length is kept and JSON stays valid. The same object when nothing was found.
    """
    return starred(without_known(data, known), secret_spans)


def without_known(data: bytes, known: Iterable[Secret]) -> bytes:
    """The same for the known secrets alone."""
    spans = [*_known_spans(data, known)]
    if not spans:
        return data
    out = bytearray(data)
    for start, end in spans:
        number = _NUMERIC.fullmatch(data, start, end)  # it may stand in JSON without quotes
        out[start:end] = _DIGIT.sub(b"1", number[0]) if number else b"*" * (end - start)
    return bytes(out)


def starred(data: bytes, find: Callable[[bytes], Iterable[tuple[int, int]]]) -> bytes:
    """`data` with stars from each start to each end that `find` names; the same object when it names none."""
    # Again and again, because what follows a secret directly begins a word only now.
    while spans := [*find(data)]:
        out = bytearray(data)
        for start, end in spans:
            out[start:end] = b"*" * (end - start)
        data = bytes(out)
    return data


def secret_spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Where (start, end) something stands that looks like a secret, in order. No JSON escape is cut."""
    suspicious = _suspicious()
    text = (data if data.isascii() else data.translate(_NOT_ASCII)).decode("ascii")
    if not suspicious(text):
        return
    position = 0
    for start in range(0, len(text), _WINDOW):
        limit = start + _WINDOW + _OVERLAP
        if not suspicious(text[start:limit]):
            continue
        for beginning, end in _found(text, max(position, start), limit):
            position = end
            if (beginning := outside_escape(data, beginning)) < end:
                yield beginning, end


def _known_spans(data: bytes, known: Iterable[Secret]) -> Iterator[tuple[int, int]]:
    values = {secret.reveal() for secret in known}
    long = [value for value in values if len(value) >= _SHORTEST_KNOWN]
    for text in {json.dumps(value, ensure_ascii=ascii)[1:-1] for value in long for ascii in (True, False)}:
        sought = text.encode(errors="surrogatepass")
        start = data.find(sought)
        while start >= 0:
            end = start + len(sought)
            yield outside_escape(data, start), end
            start = data.find(sought, end)


def outside_escape(data: bytes, position: int) -> int:
    """`position`, or the end of the JSON escape (`\\n`, `\\u00e9`) that it would cut in two."""
    start = data.rfind(b"\\", max(0, position - 5), position)
    if start < 0:
        return position
    run = start + 1
    while run and data[run - 1 : run] == b"\\":
        run -= 1
    if (start + 1 - run) % 2 == 0:
        return position  # escaped backslashes
    return max(position, start + (6 if data[start + 1 : start + 2] == b"u" else 2))
