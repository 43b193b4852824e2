"""Web pages and lines of text that come in the place of an API's answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.health.decision import decide
from turnout.health.page import Page, read_page
from turnout.health.verdict import Outcome, Verdict, judge
from turnout.settings.model import Retry

NGINX = "<html>\r\n<head><title>{0}</title></head>\r\n<body><center><h1>{0}</h1></center><hr>nginx</body>\r\n</html>"
HTML = {"content-type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "page"),
    [
        (405, HTML, NGINX.format("405 Not Allowed"), Page("405 Not Allowed")),
        (400, {}, "\ufeff \n<!DOCTYPE html><TITLE lang=en>\n A&nbsp;&amp; moment…\n</TITLE >", Page("A & moment…")),
        (403, HTML, "<!doctype html><html><body><h1>Access <b>denied</b></h1>", Page("Access denied")),
        (403, {"content-type": "application/xml"}, "<Error><Code>AccessDenied</Code></Error>", Page("AccessDenied")),
        (200, HTML, "<html><head><title>Login</title>", Page("Login")),
        (200, HTML, "<html>" + "<p>x</p>" * 200, Page("")),
        (400, HTML, "no tags at all", Page("no tags at all")),
        (503, HTML, "<title>" + "x" * 200 + "</title>", Page("x" * 80)),
        # text
        (403, {}, "error code: 1020", Page("error code: 1020", text=True)),
        (400, {}, "Client sent an HTTP request to an HTTPS server.\n",
         Page("Client sent an HTTP request to an HTTPS server.", text=True)),
        (503, {}, "no healthy upstream", Page("no healthy upstream", text=True)),
        (503, {}, "upstream connect error or disconnect/reset before headers. reset reason: connection failure",
         Page("upstream connect error or disconnect/reset before headers. reset reason: connect", text=True)),
        (403, {}, "RBAC: access denied", Page("RBAC: access denied", text=True)),
        (404, {}, "404 page not found\n", Page("404 page not found", text=True)),
        (405, {}, "Method Not Allowed", Page("Method Not Allowed", text=True)),
        (400, {}, "400 Bad Request", Page("400 Bad Request", text=True)),
        (413, {}, "Request Entity Too Large", Page("Request Entity Too Large", text=True)),
        (413, {}, "Payload Too Large", Page("Payload Too Large", text=True)),
        (413, {}, "413 Content Too Large", Page("413 Content Too Large", text=True)),
        (414, {}, "Request-URI Too Large", Page("Request-URI Too Large", text=True)),
        (503, {}, "503 Service Temporarily Unavailable", Page("503 Service Temporarily Unavailable", text=True)),
        # answers of an API
        (400, HTML, '{"type":"error","error":{"type":"invalid_request_error","message":"<html>"}}', None),
        (400, HTML, ' [{"error":{}}]', None),
        (400, {}, "", None),
        (400, {}, "model: Field required", None),
        (422, {}, "Failed to deserialize the JSON body into the target type: missing field `model`", None),
        (401, {}, "Unauthorized", None),
        (404, {}, "Not Found", None),
        (400, {}, "Bad request: max_tokens is too large", None),
        (413, {}, "too big", None),
    ],
)  # fmt: skip
def test_what_is_a_page(status: int, headers: dict[str, str], body: str, page: Page | None) -> None:
    assert read_page(status, headers, body.encode()) == page


@given(st.integers(0, 999), st.dictionaries(st.just("content-type"), st.text()), st.binary())
def test_never_raises(status: int, headers: dict[str, str], body: bytes) -> None:
    page = read_page(status, headers, body)
    assert page is None or (len(page.title) <= 80 and (page.title.isprintable() or not page.title))


@pytest.mark.parametrize("title", [
    "400 The plain HTTP request was sent to HTTPS port", "401 Authorization Required", "403 Forbidden", "404 Not Found",
    "405 Not Allowed", "406 Not Acceptable", "407 Proxy Authentication Required", "409 Conflict", "411 Length Required",
    "413 Request Entity Too Large", "414 Request-URI Too Large", "415 Unsupported Media Type", "418 Blocked by WAF",
    "421 Misdirected Request", "422 Unprocessable", "426 Upgrade Required", "431 Request Header Fields Too Large",
    "451 Unavailable For Legal Reasons", "494 Request header too large", "497 HTTP to HTTPS", "499 Closed", "200 Login",
    "302 Found", "511 Network Authentication Required", "429 Too Many Requests", "503 Service Unavailable",
])  # fmt: skip
@pytest.mark.parametrize("owned", [True, False])
def test_a_page_is_never_the_last_word_while_there_is_another_target(title: str, owned: bool) -> None:
    """Wei-Shaw/claude-relay-service#58, kittors/CliRelay#148: the request has not reached an API."""
    judgement = judge(Outcome(int(title[:3]), HTML, NGINX.format(title).encode()), now=0.0)
    assert judgement.page is not None and judgement.page.title == title
    assert judgement.verdict in (Verdict.TRANSIENT, Verdict.NOT_FOUND, Verdict.THROTTLE, Verdict.OVERLOADED)
    step = decide(judgement, owned=owned, retries=0, waited=0.0, retry=Retry(max_elapsed=0))
    assert step.action == "next"


@pytest.mark.parametrize(
    ("status", "error_type", "again", "cools"),
    [
        (400, "api_error", False, True),
        (403, "api_error", False, True),
        (413, "request_too_large", False, False),
        (429, "rate_limit_error", None, True),
        (502, "api_error", None, True),
        (503, "overloaded_error", None, True),
        (200, "api_error", False, True),
    ],
)
def test_what_a_page_means(status: int, error_type: str, again: bool | None, cools: bool) -> None:
    """Firewalls say the same a second time. A request that is too large says nothing of others."""
    judgement = judge(Outcome(status, HTML, b"<title>t</title>"), now=0.0)
    assert (judgement.error_type, judgement.retryable, judgement.cools) == (error_type, again, cools)
    assert judgement.reason == f'{status} web page ("t")' and judgement.status == status


def test_a_page_may_tell_a_wait() -> None:
    judgement = judge(Outcome(429, {**HTML, "retry-after": "561635"}, b"<title>t</title>"), now=0.0)
    assert (judgement.verdict, judgement.retry_after) == (Verdict.THROTTLE, 3600.0)
