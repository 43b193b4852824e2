"""Keeps secrets out of the log, whoever writes it: mitmproxy quotes the bytes of a request that it cannot read, and the
exceptions of scripts."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Iterable, Iterator

from turnout.redaction.names import is_secret_header
from turnout.redaction.secret import MASK, Secret
from turnout.redaction.text import masked_path, redact

_OWN = "turnout"
"""The root of the loggers whose lines are redacted where they are written. They name headers, and quote no bytes."""

_ORIGINAL = "turnout_original"

_BYTES = re.compile(
    r"""(?<!\w)(?:(?<!')b'(?P<single>(?:[^'\\]|\\.)*+)(?:'|\Z)|(?<!")b"(?P<double>(?:[^"\\]|\\.)*+)(?:"|\Z)"""
    r"""|b(?P<mark>\\{1,8}['"])(?P<quoted>.*?)(?:(?P=mark)|\Z))""",
    re.DOTALL,
)
"""Bytes as `repr` writes them, also inside the `repr` of a text; but not the key of a mapping, `'b'`."""
_ESCAPE = re.compile(r"\\(?:x[0-9a-f]{2}|.)", re.DOTALL)
_HARMLESS = frozenset({"", "h2", "h3", "http/1.0", "http/1.1"})
"""What TLS negotiates."""

_FIELD = re.compile(
    r"""(?<![\w-])(?P<name>(?:[a-z0-9]{1,40}-){1,8}[a-z0-9]{1,40}|authorization|cookie)"""
    r"""(?:["']?[ \t]{0,4}[:=,][ \t]{0,4}(?P<quote>["']?)|[ \t]{1,4}(?=bearer|basic))""",
    re.IGNORECASE,
)
"""A header field up to its value, as it is written in a message, a mapping or a list of pairs."""
_TO_END_OF_LINE = re.compile(r"[^\r\n]*")
_TO_QUOTE = {quote: re.compile(rf"(?:[^{quote}\\]|\\.)*", re.DOTALL) for quote in "'\""}
_QUERY = re.compile(r"""(?<=[?&;])[^\s#'"<>]+""")

_WITHHELD = "a line of the log was withheld: it could not be searched for secrets"


def redact_logs(known: Callable[[], Iterable[Secret]]) -> None:
    """Search every log record of this process from now on, before any handler sees it; `known` gives known secrets.

    It takes the place of what an earlier Turnout set up, and is never taken back: mitmproxy goes on to write of
    requests when the script is gone.
    """
    current = logging.getLogRecordFactory()
    original = getattr(current, _ORIGINAL, current)

    def make(*args: object, **kwargs: object) -> logging.LogRecord:
        record = original(*args, **kwargs)
        try:
            _clean(record, tuple(known()))
        except Exception:  # of whatever is asked for its text; it must not reach whoever writes to the log
            record.msg, record.args, record.exc_info = _WITHHELD, (), None
        return record

    setattr(make, _ORIGINAL, original)
    logging.setLogRecordFactory(make)


def _clean(record: logging.LogRecord, known: tuple[Secret, ...]) -> None:
    own = (record.name or "").partition(".")[0] == _OWN
    try:
        message, whole = record.getMessage(), True
    except Exception:  # the handlers would write the arguments to standard error
        message, whole = f"{record.msg} {record.args}", False
    cleaned = redact(message, known) if own else redacted_line(message, known)
    trace = _cleaned_trace(record, known)
    if trace is not None:
        cleaned, record.exc_info = f"{cleaned}\n{trace}", None
    if cleaned != message or not whole:
        record.msg, record.args = cleaned, ()


def _cleaned_trace(record: logging.LogRecord, known: tuple[Secret, ...]) -> str | None:
    """The traceback of a record without secrets; None when it holds none."""
    if not record.exc_info or record.exc_info[1] is None:
        return None
    found = traceback.TracebackException(*record.exc_info)
    trace = "".join(found.format()).rstrip()
    # Lines of source may quote bytes; only what an exception says comes from a request.
    said = "".join(_said(found))
    if redact(trace, known) == trace and redacted_line(said, known) == said:
        return None
    return redacted_line(trace, known)


def _said(found: traceback.TracebackException) -> Iterator[str]:
    """What an exception says, with its notes, its causes and the members of a group."""
    yield from found.format_exception_only()
    for other in (found.__cause__, found.__context__, *(found.exceptions or ())):
        if other is not None:
            yield from _said(other)


def redacted_line(text: str, known: Iterable[Secret] = ()) -> str:
    """A line about traffic with `***` for secrets, and the length in the place of quoted bytes.

    A key of the client may have no form that tells it from other words: it is looked for where keys stand.
    """
    text = _without_fields(_BYTES.sub(_length, text))
    if "=" in text:
        text = _QUERY.sub(lambda found: masked_path(f"?{found[0]}")[1:], text)
    return redact(text, known)


def _length(found: re.Match[str]) -> str:
    content = next(content for content in found.group("single", "double", "quoted") if content is not None)
    return found[0] if content in _HARMLESS else f"<{len(_ESCAPE.sub('.', content))} bytes>"


def _without_fields(text: str) -> str:
    pieces, position = [], 0
    for found in _FIELD.finditer(text):
        if found.start() < position or not is_secret_header(found["name"]):
            continue
        value = (_TO_QUOTE[found["quote"]] if found["quote"] else _TO_END_OF_LINE).match(text, found.end())
        assert value is not None
        pieces += [text[position : found.end()], MASK]
        position = value.end()
    return "".join([*pieces, text[position:]]) if pieces else text
