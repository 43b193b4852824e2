"""No secret is in the log, whoever writes it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from mitmproxy.log import MitmFormatter

from turnout.redaction.log import redact_logs, redacted_line
from turnout.redaction.secret import Secret

KEY = "sk-ant-api03-InTheLog0000000000"
PLAIN = "hunter2secret"
"""A key of no form that anybody would recognise."""
KNOWN = Secret("turnout client key")


class Lines(logging.Handler):
    """What a terminal of mitmproxy would show."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.records: list[logging.LogRecord] = []
        self.setFormatter(MitmFormatter(colorize=False))

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.lines.append(self.format(record))


@pytest.fixture
def shown() -> Iterator[Lines]:
    before, root, handler = logging.getLogRecordFactory(), logging.getLogger(), Lines()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    redact_logs(lambda: {KNOWN})
    try:
        yield handler
    finally:
        logging.setLogRecordFactory(before)
        root.removeHandler(handler)
        root.setLevel(level)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"headers: {b'POST / HTTP/1.1' + bytes([13, 10]) + b'x-api-key: ' + PLAIN.encode()!r}", "headers: <41 bytes>"),
        (f"""Bad line: {b"it's " + PLAIN.encode()!r}.""", "Bad line: <18 bytes>."),
        (f"cut off: b'x-api-key: {PLAIN}", "cut off: <24 bytes>"),
        (f"exception={ValueError(repr(PLAIN.encode()))!r}", 'exception=ValueError("<13 bytes>")'),
        (repr(f"""{PLAIN.encode() + b'"'!r} '""" + '"'), """'<14 bytes> \\'"'"""),
        (f"bytearray({PLAIN.encode()!r})", "bytearray(<13 bytes>)"),
        ("alpn: b'h2', b'http/1.1', b''", "alpn: b'h2', b'http/1.1', b''"),
        (f"ValueError: X-Api-Key: {PLAIN}", "ValueError: X-Api-Key: ***"),
        (f"authorization Bearer {PLAIN}", "authorization ***"),
        (f"Headers[('cookie', '{PLAIN}'), ('host', 'b')]", "Headers[('cookie', '***'), ('host', 'b')]"),
        (f"{{'proxy-authorization': 'it\\'s {PLAIN}', 'b': 'c'}}", "{'proxy-authorization': '***', 'b': 'c'}"),
        (f'{{"helicone-auth":"{PLAIN}"}}', '{"helicone-auth":"***"}'),
        (f"killed http://a/v1?page=2&api_key={PLAIN}#x", "killed http://a/v1?page=2&api_key=***#x"),
        (f"told {KEY} and so on", "told *** and so on"),
        (f"told {KNOWN.reveal()}, too", "told ***, too"),
        ("content-type: text/html", "content-type: text/html"),
        ("web's mapping: {'b': 1}, client connect", "web's mapping: {'b': 1}, client connect"),
    ],
)
def test_a_line_about_traffic(line: str, told: str) -> None:
    assert redacted_line(line, {KNOWN}) == told


@pytest.mark.parametrize("name", ["mitmproxy.proxy.server", "root", "asyncio", "h2", "__mitmproxy_script__.other"])
def test_every_logger_is_searched(shown: Lines, name: str) -> None:
    logging.getLogger(name).warning("read %r with %s and %s", f"{PLAIN}".encode(), KEY, KNOWN.reveal())
    assert shown.lines[0].endswith("read <13 bytes> with *** and ***")


def test_lines_of_turnout_itself_name_headers(shown: Lines) -> None:
    """They are redacted where they are written; known secrets and keys are looked for once more."""
    logging.getLogger("turnout").warning("send one as x-turnout-key: or %s %s", KNOWN.reveal(), KEY)
    assert shown.lines[0].endswith("send one as x-turnout-key: or *** ***")


def test_a_harmless_record_stays_as_it_is(shown: Lines) -> None:
    logging.getLogger("mitmproxy").info("%s connect", "client")
    (record,) = shown.records
    assert (record.msg, record.args) == ("%s connect", ("client",))


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


@pytest.mark.parametrize(
    "error",
    [
        raised(ValueError(f"x-api-key: {PLAIN}")),
        raised(ValueError(PLAIN.encode())),
        raised(ValueError("no"), raised(KeyError(KNOWN.reveal()))),
        raised(ExceptionGroup("two", [ValueError(f"authorization: {PLAIN}"), ValueError(KEY)])),
    ],
    ids=["message", "bytes", "cause", "group"],
)
def test_an_exception_of_another_addon(shown: Lines, error: BaseException) -> None:
    """mitmproxy shows its traceback, and takes no text that was prepared for it."""
    logging.getLogger("mitmproxy.addonmanager").error("Addon error: %s", error, exc_info=error)
    (line,) = shown.lines
    assert "Traceback" in line and type(error).__name__ in line
    for secret in (PLAIN, KEY, KNOWN.reveal()):
        assert secret not in line


def test_a_traceback_that_quotes_bytes_in_its_source_alone_stays(shown: Lines) -> None:
    """Filters look at the exception: that of a connection which is still open at the end is no news."""
    try:
        raise asyncio.CancelledError if b"" == b"" else ValueError(b"bytes")
    except asyncio.CancelledError as error:
        logging.getLogger("asyncio").error("Exception in callback", exc_info=error)
    (record,) = shown.records
    assert record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)


def test_arguments_that_do_not_fit_are_not_written_to_standard_error(
    shown: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("mitmproxy").warning("one %s", f"x-api-key: {PLAIN}", "too many")
    assert PLAIN not in shown.lines[0] + capsys.readouterr().err and "one %s" in shown.lines[0]


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError(PLAIN)

    __repr__ = __str__


def test_a_record_that_cannot_be_searched_is_withheld(shown: Lines) -> None:
    value: Any = Unspeakable()
    logging.getLogger("mitmproxy").warning("%s", value)
    assert "withheld" in shown.lines[0] and PLAIN not in shown.lines[0]


def test_a_second_one_takes_the_place_of_the_first(shown: Lines) -> None:
    """As after a hot reload: nothing piles up, and the secrets are those of the new one."""

    def forgotten() -> set[Secret]:
        raise AssertionError("the first is still asked")

    redact_logs(forgotten)
    redact_logs(lambda: {Secret("the new secret")})
    logging.getLogger("mitmproxy").warning("the new secret, %s", KNOWN.reveal())
    assert shown.lines[0].endswith(f"***, {KNOWN.reveal()}")
