"""No secret stays in a flow that may be saved, and nothing else is lost."""

from __future__ import annotations

import gzip
import json

import pytest
from mitmproxy.http import Headers, Request, Response
from mitmproxy.test import tflow, tutils

from turnout.flows.masking import LARGEST, Masks
from turnout.proxy.withholding import withhold
from turnout.redaction.names import SECRET_HEADERS
from turnout.redaction.secret import MASK, Secret

KEY = "sk-ant-api03-Canary0123456789abcdef"


def mask(message: Request | Response, *known: Secret) -> None:
    """Have a flow show this message."""
    flow = tflow.tflow(req=message) if isinstance(message, Request) else tflow.tflow(resp=message)
    withhold(flow, Masks(frozenset(known)))


@pytest.mark.parametrize("name", sorted(SECRET_HEADERS))
def test_secret_headers_are_masked_whatever_their_spelling(name: str) -> None:
    spelt = name.title().encode()
    fields = ((spelt, b"one"), (b"anthropic-version", b"2023-06-01"), (name.encode(), b"two"))
    request = tutils.treq(headers=fields)
    mask(request)
    assert set(request.headers.get_all(name)) == {MASK} and request.headers["anthropic-version"] == "2023-06-01"
    assert not {b"one", b"two"} & {value for _, value in request.headers.fields}


def test_headers_that_are_not_there_are_not_invented() -> None:
    request = tutils.treq(headers=((b"accept", b"*/*"),))
    mask(request)
    assert request.headers.fields == ((b"accept", b"*/*"),)


def test_a_secret_is_found_wherever_it_stands() -> None:
    request = tutils.treq(
        path=f"/v1/messages?key=abcdef&beta=true&x={KEY}".encode(),
        headers=((b"x-debug", f"used {KEY} \xe4".encode("latin-1")),),
        content=json.dumps({"text": f"my key is {KEY}."}).encode(),
    )
    mask(request)
    state = repr(request.get_state())
    assert "Canary" not in state and "abcdef" not in state
    assert "beta=true" in request.path
    assert json.loads(request.content or b"")["text"].startswith("my key is *")
    assert request.headers.fields[0][1].endswith(b" \xe4")


def test_a_configured_secret_is_masked_though_it_looks_like_nothing() -> None:
    request = tutils.treq(content=b'{"text":"open sesame now"}', headers=((b"x-a", b"open sesame now"),))
    mask(request, Secret("sesame now"))
    assert b"sesame" not in (request.content or b"") and "sesame" not in request.headers["x-a"]


def test_a_body_without_secrets_stays_the_same_object() -> None:
    body = b'{"text":"the task-list of risk-takers"}' * 100
    request, response = tutils.treq(content=body), tutils.tresp(content=body)
    mask(request)
    mask(response)
    assert request.raw_content is body and response.raw_content is body


def test_a_compressed_body_with_a_secret_is_kept_decoded() -> None:
    packed = gzip.compress(f'{{"text":"{KEY}"}}'.encode())
    request = tutils.treq(content=packed, headers=((b"content-encoding", b"gzip"), (b"content-length", b"1")))
    mask(request)
    assert b"Canary" not in (request.raw_content or b"")
    assert "content-encoding" not in request.headers and json.loads(request.raw_content or b"")


def test_an_answer_is_masked_in_head_and_body() -> None:
    headers = Headers([(b"set-cookie", b"session=1"), (b"content-type", b"application/json")])
    response = tutils.tresp(content=f'{{"text":"{KEY}"}}'.encode(), headers=headers)
    mask(response)
    assert b"Canary" not in (response.content or b"") and response.headers["set-cookie"] == MASK
    assert len(response.content or b"") == len(f'{{"text":"{KEY}"}}')


def test_a_small_body_that_would_become_a_huge_one_is_not_opened() -> None:
    bomb = gzip.compress(b"x" * (LARGEST + 1))
    request = tutils.treq(content=bomb, headers=((b"content-encoding", b"gzip"),))
    mask(request)
    assert request.raw_content == MASK.encode()


def test_everything_else_that_can_hold_a_secret() -> None:
    request = tutils.treq(path=b"/v1/correct-horse?q=correct-horse", headers=())
    request.trailers = Headers([(b"x-end", KEY.encode())])
    mask(request, Secret("correct-horse"))
    response = tutils.tresp(reason=f"No {KEY}".encode(), headers=Headers())
    response.trailers = Headers([(b"x-end", KEY.encode())])
    mask(response)
    for state in (request.get_state(), response.get_state()):
        assert "Canary" not in repr(state) and "correct-horse" not in repr(state)


def test_words_about_a_request_quote_no_bytes_of_it() -> None:
    """mitmproxy's errors do, and a key need not look like one."""
    told = Masks().text("HTTP/1 protocol error: illegal chunk header: bytearray(b'{\"key\": \"hunter2\"}')")
    assert "hunter2" not in told and told.endswith("bytearray(<18 bytes>)")


def test_a_user_before_the_host_is_masked() -> None:
    fields = ((b"Host", b"ada:hunter2@example.com:8082"), (b"from", b"ada@example.com"))
    assert Masks().fields(fields) == ((b"Host", b"***@example.com:8082"), (b"from", b"ada@example.com"))
