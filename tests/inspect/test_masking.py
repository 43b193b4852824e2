"""No secret stays in a flow that may be saved, and nothing else is lost."""

from __future__ import annotations

import gzip
import json

import pytest
from mitmproxy.http import Headers
from mitmproxy.test import tutils

from turnout.inspect.masking import LARGEST, mask_request, masked_response
from turnout.settings.secret import MASK, SECRET_HEADERS, Secret

KEY = "sk-ant-api03-Canary0123456789abcdef"


@pytest.mark.parametrize("name", sorted(SECRET_HEADERS))
def test_secret_headers_are_masked_whatever_their_spelling(name: str) -> None:
    spelt = name.title().encode()
    fields = ((spelt, b"one"), (b"anthropic-version", b"2023-06-01"), (name.encode(), b"two"))
    request = tutils.treq(headers=fields)
    mask_request(request)
    assert set(request.headers.get_all(name)) == {MASK} and request.headers["anthropic-version"] == "2023-06-01"
    assert not {b"one", b"two"} & {value for _, value in request.headers.fields}


def test_headers_that_are_not_there_are_not_invented() -> None:
    request = tutils.treq(headers=((b"accept", b"*/*"),))
    mask_request(request)
    assert request.headers.fields == ((b"accept", b"*/*"),)


def test_a_secret_is_found_wherever_it_stands() -> None:
    request = tutils.treq(
        path=f"/v1/messages?key=abcdef&beta=true&x={KEY}".encode(),
        headers=((b"x-debug", f"used {KEY} \xe4".encode("latin-1")),),
        content=json.dumps({"text": f"my key is {KEY}."}).encode(),
    )
    mask_request(request)
    state = repr(request.get_state())
    assert "Canary" not in state and "abcdef" not in state
    assert "beta=true" in request.path
    assert json.loads(request.content or b"")["text"].startswith("my key is *")
    assert request.headers.fields[0][1].endswith(b" \xe4")


def test_a_configured_secret_is_masked_though_it_looks_like_nothing() -> None:
    request = tutils.treq(content=b'{"text":"open sesame now"}', headers=((b"x-a", b"open sesame now"),))
    mask_request(request, [Secret("sesame now")])
    assert b"sesame" not in (request.content or b"") and "sesame" not in request.headers["x-a"]


def test_a_body_without_secrets_stays_the_same_object() -> None:
    body = b'{"text":"the task-list of risk-takers"}' * 100
    request, response = tutils.treq(content=body), tutils.tresp(content=body)
    mask_request(request)
    assert request.raw_content is body and masked_response(response) is response


def test_a_compressed_body_with_a_secret_is_kept_decoded() -> None:
    packed = gzip.compress(f'{{"text":"{KEY}"}}'.encode())
    request = tutils.treq(content=packed, headers=((b"content-encoding", b"gzip"), (b"content-length", b"1")))
    mask_request(request)
    assert b"Canary" not in (request.raw_content or b"")
    assert "content-encoding" not in request.headers and json.loads(request.raw_content or b"")


def test_the_original_answer_stays_as_it_is() -> None:
    headers = Headers([(b"set-cookie", b"session=1"), (b"content-type", b"application/json")])
    response = tutils.tresp(content=f'{{"text":"{KEY}"}}'.encode(), headers=headers)
    kept = masked_response(response)
    assert KEY.encode() in (response.content or b"") and response.headers["set-cookie"] == "session=1"
    assert b"Canary" not in (kept.content or b"") and kept.headers["set-cookie"] == MASK
    assert len(kept.content or b"") == len(response.content or b"")


def test_a_small_body_that_would_become_a_huge_one_is_not_opened() -> None:
    bomb = gzip.compress(b"x" * (LARGEST + 1))
    request = tutils.treq(content=bomb, headers=((b"content-encoding", b"gzip"),))
    mask_request(request)
    assert request.raw_content == b""


def test_everything_else_that_can_hold_a_secret() -> None:
    request = tutils.treq(path=b"/v1/correct-horse?q=correct-horse", headers=())
    request.trailers = Headers([(b"x-end", KEY.encode())])
    mask_request(request, [Secret("correct-horse")])
    response = tutils.tresp(reason=f"No {KEY}".encode(), headers=Headers())
    response.trailers = Headers([(b"x-end", KEY.encode())])
    kept = masked_response(response)
    for state in (request.get_state(), kept.get_state()):
        assert "Canary" not in repr(state) and "correct-horse" not in repr(state)
    assert "Canary" in response.reason
