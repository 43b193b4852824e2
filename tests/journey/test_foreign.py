"""Errors of other providers in Anthropic's shape (A10)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.dialects.error_body import read_error_body
from turnout.health.verdict import Judgement, Verdict
from turnout.journey.foreign import shaped_body, shaped_error

REQUEST = Judgement(Verdict.REQUEST, "400 odd", error_type="invalid_request_error", message="cut")
LONG = "word " * 200


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (dumped({"error": {"type": "x", "message": LONG}}), LONG.strip()),
        (dumped({"error": {"code": "1210", "message": "API parameter error"}}), "API parameter error"),
        (dumped({"error": "DNS resolution failure"}), "DNS resolution failure"),
        (dumped({"base_resp": {"status_code": 2013, "status_msg": "invalid params"}}), "invalid params"),
        (dumped({"code": 500, "msg": "404 NOT_FOUND"}), "404 NOT_FOUND"),
        (dumped({"detail": "Not authenticated"}), "Not authenticated"),
        (
            dumped(
                {
                    "detail": [
                        {"type": "missing", "loc": ["body", "messages", 0, "content"], "msg": "Field required"},
                        {"type": "extra_forbidden", "loc": ["body", "top_k"], "msg": "Extra inputs are not permitted"},
                        {"type": "extra_forbidden", "loc": ["body", "top_k"], "msg": "Extra inputs are not permitted"},
                    ]
                }
            ),
            "messages.0.content: Field required; top_k: Extra inputs are not permitted",
        ),
        (dumped([{"loc": ["a"], "msg": "one"}, {"msg": "two"}, "three", 4]), "a: one; two; three"),
        (dumped({"error": {"message": [{"msg": "deep"}]}}), "deep"),
        (dumped({"errors": ["a", "b"]}), "a; b"),
        (dumped({"detail": {"error": {"message": "wrapped"}}}), "wrapped"),
        (dumped([{"error": {"message": "in a list"}}]), "in a list"),
        (b"upstream connect error\n", "upstream connect error"),
        (b"<html><body>nginx</body></html>", ""),
        (b"{broken", ""),
        (b"{}", ""),
        (b"", ""),
        (b"[" * 100_000 + b"]" * 100_000, ""),
    ],
)
def test_the_whole_message(body: bytes, said: str) -> None:
    assert read_error_body(body).whole_message == said


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        *((status, status) for status in (400, 401, 402, 403, 404, 408, 409, 413, 429, 500, 501, 503, 504, 529)),
        (405, 400),
        (422, 400),
        (424, 500),
        (431, 400),
        (434, 403),
        (498, 529),
        (499, 500),
        (502, 500),
        (522, 500),
    ],
)
def test_statuses(status: int, sent: int) -> None:
    """PROTOCOL 5.6."""
    assert shaped_error(status, b'{"message":"x"}', REQUEST)[0] == sent


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("invalid_request_error", 400),
        ("rate_limit_error", 429),
        ("overloaded_error", 529),
        ("api_error", 500),
        ("new", 500),
    ],
)
def test_an_error_inside_a_success_gets_a_status(kind: str, sent: int) -> None:
    shaped = dumped({"type": "error", "error": {"type": "t", "message": "m"}})
    judgement = Judgement(Verdict.REQUEST, "200 with x", error_type=kind)
    assert shaped_error(200, b'{"base_resp":{"status_code":1}}', judgement)[0] == sent
    assert shaped_error(200, shaped, judgement) == (sent, shaped)


@pytest.mark.parametrize(
    ("body", "shaped"),
    [
        (b'{"type":"error","error":{"type":"x","message":""}}', True),
        (b' {"type":"error", "error":{"type":"x","message":"m","details":{}},"request_id":"r","more":1}', True),
        (b'{"error":{"type":"x","message":"m"}}', False),
        (b'{"type":"fault","error":{"type":"x","message":"m"}}', False),
        (b'{"type":"error","error":{"type":"","message":"m"}}', False),
        (b'{"type":"error","error":{"type":1,"message":"m"}}', False),
        (b'{"type":"error","error":{"type":"x","message":null}}', False),
        (b'{"type":"error","error":{"type":"x"}}', False),
        (b'{"type":"error","error":"x"}', False),
        (b"", False),
        (b"\xff", False),
    ],
)
def test_what_is_in_shape_stays(body: bytes, shaped: bool) -> None:
    assert read_error_body(body).shaped is shaped
    assert (shaped_error(422, body, REQUEST) == (422, body)) is shaped
    assert (shaped_body(body, REQUEST) is body) is shaped


@pytest.mark.parametrize(("message", "said"), [("known", "known"), ("", "400 odd")])
def test_without_a_message_the_judgement_speaks(message: str, said: str) -> None:
    judgement = Judgement(Verdict.REQUEST, "400 odd", error_type="invalid_request_error", message=message)
    _, body = shaped_error(400, b"<html>", judgement)
    assert json.loads(body)["error"] == {"type": "invalid_request_error", "message": said}


texts = st.text(max_size=6) | st.sampled_from(["message", "msg", "detail", "error", "loc", "type", "base_resp"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


@given(st.binary(max_size=60) | values.map(dumped), st.integers(200, 599))
def test_never_raises_and_twice_is_once(body: bytes, status: int) -> None:
    sent, told = shaped_error(status, body, REQUEST)
    assert read_error_body(told).shaped and 400 <= sent <= 599
    assert shaped_error(sent, told, REQUEST) == (sent, told)
