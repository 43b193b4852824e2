"""One reading of an error body, for the verdict, the shape and the lessons."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.dialects import error_body
from turnout.dialects.error_body import MOST_BYTES, ErrorBody, Placed, read_error_body, tells_error, wrapped
from turnout.dialects.messages.shaped import told_as_event
from turnout.health.verdict import Outcome, judge
from turnout.journey.foreign import shaped_error

SHAPED = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}'


def test_all_that_one_body_says() -> None:
    entry = {"type": "extra_forbidden", "loc": ["body", "tools", 0, "x"], "msg": "Extra inputs", "input": "word"}
    inner = {"error": {"type": "invalid_request_error", "message": "no room", "param": "tools", "n_ctx": 4096}}
    body = json.dumps({"error": {"message": f"upstream error: {json.dumps(inner)}", "code": 413}, "errors": [entry]})
    assert read_error_body(body.encode()) == ErrorBody(
        body.encode(),
        structured=True,
        type="invalid_request_error",
        codes=("413",),
        message="no room",
        label="invalid_request_error",
        status=400,
        inner=True,
        inner_status=400,
        whole_message="no room",
        texts=("no room", "upstream error:"),
        names=("invalid_request_error",),
        param="tools",
        placed=(Placed("extra_forbidden", ("tools", "0", "x"), "Extra inputs", "word"),),
        counts={"n_ctx": 4096},
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"message":"cut off: \\ud83d"}}',
        b'{"error":{"message":"cut off: \xf0\x9f"}}',
        b'{"error":{"message":"cut off: ?"},"ratio":NaN}',
    ],
)
def test_what_only_python_reads_is_read_too(body: bytes) -> None:
    """Servers that cut a text may cut between the halves of a pair."""
    told = read_error_body(body)
    assert told.structured and told.message[:-1] == "cut off: " and told.texts == (told.message,)
    assert told.message.encode()


def test_json_in_a_text_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []
    object_in = wrapped._object_in
    monkeypatch.setattr(wrapped, "_object_in", lambda text: (searched.append(text), object_in(text))[1])
    text = 'upstream error: {"message": "the reason"}'
    told = read_error_body(json.dumps({"error": {"message": text}}).encode())
    assert told.message == "the reason" and "the reason" in told.texts and searched == [text]


def test_long_bodies_are_judged_but_not_searched() -> None:
    body = json.dumps({"error": {"message": "speed: Extra inputs are not permitted", "x": "x" * MOST_BYTES}}).encode()
    told = read_error_body(body)
    assert told.message and not told.texts


def test_an_answer_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """To judge a refusal, to learn from it and to bring it into shape takes one decoding of its bytes."""
    read: list[bytes] = []
    decoded = error_body._decoded
    monkeypatch.setattr(error_body, "_decoded", lambda body: (read.append(body), decoded(body))[1])
    body = b'{"error":{"message":"speed: Extra inputs are not permitted","code":400}}'
    status, shaped = shaped_error(400, body, judge(Outcome(400, {}, body), now=0.0))
    assert status == 400 and b"speed" in shaped and read == [body]


def test_another_body_than_was_judged_is_read_itself() -> None:
    judgement = judge(Outcome(400, {}, b'{"error":{"message":"of one event"}}'), now=0.0)
    _, shaped = shaped_error(400, b'{"error":{"message":"of the whole"}}', judgement)
    assert json.loads(shaped)["error"]["message"] == "of the whole"


def test_a_success_is_looked_at_on_top_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_body, "_decoded", lambda body: pytest.fail("decoded in full"))
    body = json.dumps({"type": "message", "content": [{"type": "text", "text": "x"}], "error": None}).encode()
    assert judge(Outcome(200, {}, body), now=0.0).told is None


@given(st.binary(max_size=80) | st.text(max_size=40).map(lambda text: json.dumps({"error": text}).encode()))
def test_never_raises(body: bytes) -> None:
    told = read_error_body(body)
    assert told.body == body and (told.structured or not tells_error(body))


@pytest.mark.parametrize(
    ("status", "body", "event"),
    [
        (429, SHAPED.replace(b",", b",\n"), b"event: error\ndata: " + SHAPED.replace(b",", b", ") + b"\n\n"),
        (503, b"<html>", b'"type":"overloaded_error","message":"The answer was an error with status 503."'),
        (502, b'{"error":"x"}', b'"type":"api_error","message":"The answer was an error with status 502."'),
    ],
)
def test_an_error_as_the_last_event(status: int, body: bytes, event: bytes) -> None:
    assert event in told_as_event(status, body)
