"""What a message shows, and what is sent of it, part by part."""

from __future__ import annotations

import gzip

import pytest
from mitmproxy.flow import Error
from mitmproxy.http import Headers, HTTPFlow, Message, Response
from mitmproxy.proxy.layers.http import (
    RequestData,
    RequestTrailers,
    ResponseData,
    ResponseHeaders,
    ResponseTrailers,
)
from mitmproxy.test import tflow, tutils

from turnout.exchange import Outgoing
from turnout.flows.masking import Masks
from turnout.proxy.shaping import answer_of, send_as
from turnout.proxy.steering import steering
from turnout.proxy.withholding import (
    answer_as_sent,
    becomes,
    cover,
    put_in,
    request_as_sent,
    reveal_answer,
    withhold,
)
from turnout.redaction.secret import MASK, Secret

KEY = "sk-ant-api03-Canary0123456789abcdef"
BODY = f'{{"text":"{KEY}"}}'.encode()
ODD = Secret("Canary-that-looks-like-nothing")
FIELDS = ((b"X-Api-Key", b"Canary"), (b"accept", b"*/*"))


class Counting(Masks):
    """Counts the bodies that are looked through."""

    bodies = 0

    def body(self, message: Message) -> bytes:
        Counting.bodies += 1
        return super().body(message)


@pytest.fixture(autouse=True)
def counted() -> None:
    Counting.bodies = 0


def asked(body: bytes = BODY, fields: tuple[tuple[bytes, bytes], ...] = FIELDS) -> HTTPFlow:
    return tflow.tflow(req=tutils.treq(path=b"/v1/messages?key=Canary", headers=fields, content=body))


def answered(body: bytes = BODY, *fields: tuple[bytes, bytes]) -> tuple[HTTPFlow, Response]:
    response = tutils.tresp(content=body, headers=Headers([(b"x-trace", KEY.encode()), *fields]), reason=KEY.encode())
    flow = tflow.tflow(req=tutils.treq(content=b""), resp=response)
    return flow, response


def shows_nothing(flow: HTTPFlow) -> bool:
    return "Canary" not in repr(flow.get_state())


def test_a_request_is_sent_as_it_was() -> None:
    flow = asked()
    before = flow.request.get_state()
    withhold(flow, Masks())
    assert shows_nothing(flow) and request_as_sent(flow).get_state() == before


def test_an_answer_is_sent_as_it_was() -> None:
    flow, response = answered()
    before = response.get_state()
    withhold(flow, Masks())
    assert shows_nothing(flow) and answer_as_sent(flow, response).get_state() == before
    event = ResponseHeaders(1, response)
    put_in(flow, event)
    assert event.response.get_state() == before


def test_what_holds_no_secret_stays_the_same_object() -> None:
    flow = tflow.tflow(resp=True)
    content, fields = flow.request.raw_content, flow.request.headers.fields
    withhold(flow, Masks())
    assert flow.request.raw_content is content and flow.request.headers.fields is fields
    assert request_as_sent(flow) is flow.request and answer_as_sent(flow, flow.response) is flow.response


def test_a_body_is_looked_through_once() -> None:
    flow = asked()
    withhold(flow, Counting())
    for body in (BODY, bytes(bytearray(BODY)), bytes(bytearray(flow.request.raw_content or b""))):
        flow.request.raw_content = body
        cover(flow)
    becomes(flow)
    assert Counting.bodies == 1 and shows_nothing(flow) and request_as_sent(flow).raw_content == BODY


def test_the_clients_body_is_remembered_beside_that_of_an_attempt() -> None:
    flow = asked()
    withhold(flow, Counting())
    for body in (BODY + b" ", BODY, BODY):
        flow.request.data.content = body
        becomes(flow)
        assert request_as_sent(flow).raw_content == body
    assert Counting.bodies == 2


def test_what_becomes_known_is_looked_for_without_looking_through_bodies_again() -> None:
    value = ODD.reveal().encode()
    flow = asked(b'{"text":"%s %s"}' % (KEY.encode(), value), (*FIELDS, (b"x-odd", value)))
    before = flow.request.get_state()
    withhold(flow, Counting())
    assert "Canary-that" in repr(flow.get_state())
    withhold(flow, Counting(frozenset((ODD,))))
    assert shows_nothing(flow) and Counting.bodies == 1 and request_as_sent(flow).get_state() == before
    flow.request.raw_content = before["content"]
    cover(flow)
    assert shows_nothing(flow) and Counting.bodies == 1


def test_what_is_known_already_need_not_be_looked_for() -> None:
    flow = asked()
    withhold(flow, Masks(frozenset((ODD,))))
    line, fields = steering(flow).request.line, steering(flow).request.fields
    withhold(flow, Masks())
    assert steering(flow).request.line is line and steering(flow).request.fields is fields


def test_an_answer_that_is_changed_keeps_what_was_not() -> None:
    flow, response = answered()
    withhold(flow, Masks())
    response.headers["x-later"], response.text = "yes", "other"
    cover(flow)
    sent = answer_as_sent(flow, response)
    assert (sent.headers["x-trace"], sent.headers["x-later"], sent.text) == (KEY, "yes", "other")


def test_another_answer_has_nothing_of_the_one_before() -> None:
    flow, _ = answered()
    withhold(flow, Masks())
    flow.response = Response.make(200, b"", {"x-trace": MASK})
    cover(flow)
    assert answer_as_sent(flow, flow.response).headers["x-trace"] == MASK


def test_an_answer_may_be_changed_as_it_came() -> None:
    flow, response = answered()
    withhold(flow, Counting())
    reveal_answer(flow)
    assert response.raw_content == BODY and response.headers["x-trace"] == KEY
    response.status_code = 529
    cover(flow)
    assert shows_nothing(flow) and Counting.bodies == 1
    (answer,) = [answer_of(flow)]
    assert answer is not None and (answer.status, answer.body, answer.headers["x-trace"]) == (529, BODY, KEY)


@pytest.mark.parametrize("later", [False, True])
def test_a_compressed_answer_with_a_secret_is_shown_plain_and_sent_compressed(later: bool) -> None:
    packed = gzip.compress(BODY)
    length = b"%d" % len(packed)
    flow, response = answered(packed, (b"content-encoding", b"gzip"), (b"content-length", length))
    before = response.get_state()
    withhold(flow, Masks())
    assert shows_nothing(flow) and len(response.content or b"") == len(BODY)
    assert response.headers["content-length"] == str(len(BODY)) and "content-encoding" not in response.headers
    if later:
        response.headers["x-later"] = "yes"
        cover(flow)
    sent = answer_as_sent(flow, response)
    assert (sent.headers["content-encoding"], sent.headers["content-length"]) == ("gzip", length.decode())
    assert sent.raw_content == packed
    assert later or sent.get_state() == before
    withhold(flow, Masks(frozenset((ODD,))))
    assert "content-encoding" not in response.headers and answer_as_sent(flow, response).raw_content == packed


def test_a_body_that_cannot_be_opened_is_not_shown_and_is_sent() -> None:
    flow = asked(BODY, ((b"content-encoding", b"br"),))
    withhold(flow, Masks())
    assert flow.request.raw_content == MASK.encode() and request_as_sent(flow).raw_content == BODY


def test_the_pieces_on_the_wire() -> None:
    flow, response = answered()
    flow.request.raw_content = BODY
    trailers = {"request": Headers([(b"x-end", KEY.encode())]), "response": Headers([(b"x-end", KEY.encode())])}
    flow.request.trailers, response.trailers = trailers["request"], trailers["response"]
    withhold(flow, Masks())
    assert shows_nothing(flow)
    data = RequestData(1, flow.request.raw_content), ResponseData(1, response.raw_content)
    for piece in data:
        put_in(flow, piece)
        assert piece.data == BODY
    for end in RequestTrailers(1, flow.request.trailers), ResponseTrailers(1, response.trailers):
        put_in(flow, end)
        assert end.trailers["x-end"] == KEY
    other = ResponseData(1, b"of a stream")
    put_in(flow, other)
    assert other.data == b"of a stream"


def test_an_error_is_told_without_secrets() -> None:
    flow = asked()
    withhold(flow, Masks())
    flow.error = Error(f"invalid header {KEY}")
    cover(flow)
    assert flow.error.msg == f"invalid header {MASK}"


def test_an_attempt_shows_no_secret_and_has_no_trailers_of_the_client() -> None:
    """They would go to any host with whatever credential is in them."""
    flow = asked()
    flow.request.trailers = Headers([(b"authorization", b"Canary")])
    withhold(flow, Masks())
    outgoing = Outgoing(
        "http", "provider.invalid", 80, "/v1/messages?key=Canary", BODY, add=(("x-api-key", "Canary"), ("host", "p"))
    )
    send_as(flow, outgoing, FIELDS)
    sent = request_as_sent(flow)
    assert shows_nothing(flow) and sent.trailers is None
    assert (sent.path, sent.raw_content, sent.headers["x-api-key"]) == (outgoing.path, BODY, "Canary")
