"""No secret stays in a flow that may be saved, and nothing else is lost."""

from __future__ import annotations

import gzip
import json

import pytest
from mitmproxy.http import Headers
from mitmproxy.test import tflow, tutils

from turnout.inspect.backup import backup_of
from turnout.inspect.masking import mask_client_side, mask_request, masked_response
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
    assert b"Canary" not in gzip.decompress(packed)[:0] + (request.raw_content or b"")
    assert "content-encoding" not in request.headers and json.loads(request.raw_content or b"")


def test_the_original_answer_stays_as_it_is() -> None:
    headers = Headers([(b"set-cookie", b"session=1"), (b"content-type", b"application/json")])
    response = tutils.tresp(content=f'{{"text":"{KEY}"}}'.encode(), headers=headers)
    kept = masked_response(response)
    assert KEY.encode() in (response.content or b"") and response.headers["set-cookie"] == "session=1"
    assert b"Canary" not in (kept.content or b"") and kept.headers["set-cookie"] == MASK
    assert len(kept.content or b"") == len(response.content or b"")


@pytest.mark.parametrize("rewritten", [True, False])
def test_the_clients_body_is_masked_too(rewritten: bool) -> None:
    body = f'{{"text":"{KEY}"}}'.encode()
    flow = tflow.tflow(req=tutils.treq(content=body))
    flow.backup()
    if rewritten:
        flow.request.raw_content = body + b" "
    mask_client_side(flow)
    backup = backup_of(flow)
    assert backup is not None and b"Canary" not in backup["request"]["content"]
    assert b"Canary" not in (flow.request.raw_content or b"")
    assert (backup["request"]["content"] is flow.request.raw_content) is not rewritten
    flow.revert()
    assert len(flow.request.raw_content or b"") == len(body)
