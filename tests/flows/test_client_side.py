"""The client's request beside what attempts make of it: kept without secrets, and sent again with them."""

from __future__ import annotations

import gzip

import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.test import tflow, tutils

from turnout.flows.backup import backup_of
from turnout.flows.client_side import client_request, client_side, edited, pristine, put_away, restore
from turnout.flows.masking import Masks
from turnout.proxy.withholding import becomes, withhold
from turnout.redaction.secret import MASK

BODY = b'{"model":"opus"}'
KEY = "sk-ant-api03-Canary0123456789abcdef"


def over(
    body: bytes = BODY, *, sent: bytes = b'{"model":"other"}', headers: tuple[tuple[bytes, bytes], ...] = ()
) -> HTTPFlow:
    """A flow that is over: its request had become an attempt at a provider."""
    fields = ((b"x-api-key", b"key-of-the-client-itself"), (b"anthropic-version", b"2023-06-01"), *headers)
    request = tutils.treq(path=b"/v1/messages?beta=true", headers=fields, content=body, port=9)
    flow = tflow.tflow(req=request, resp=True)
    withhold(flow, Masks())
    client = client_side(flow, fields, Masks())
    flow.request.host, flow.request.path = "provider.invalid", "/anthropic/v1/messages"
    flow.request.raw_content = sent
    flow.request.headers["x-api-key"] = "key-of-provider"
    flow.metadata |= {"turnout.exchange": "abc", "turnout.part": "exchange", "other": "kept"}
    flow.comment, flow.marked = "opus → first 200", ":x:"
    becomes(flow)
    put_away(flow, client, Masks())
    return flow


def test_reverting_gives_the_request_of_the_client_and_changes_nothing_else() -> None:
    flow = over()
    before = flow.get_state()
    flow.revert()
    assert (flow.request.path, flow.request.raw_content) == ("/v1/messages?beta=true", BODY)
    assert (flow.request.data.host, flow.request.data.port) == tuple(flow.client_conn.sockname)[:2]
    assert flow.request.headers["x-api-key"] == MASK
    after = flow.get_state()
    assert {name for name in before if before[name] != after[name]} == {"request", "backup"}


def test_no_secret_is_in_what_is_saved() -> None:
    state = repr(over().get_state())
    assert "client-itself" not in state and "key-of-provider" not in state


@pytest.mark.parametrize("sent", [None, b"rewritten"])
@pytest.mark.parametrize("packed", [True, False])
def test_the_clients_body_is_masked_too(packed: bool, sent: bytes | None) -> None:
    plain = f'{{"text":"{KEY}"}}'.encode()
    body = gzip.compress(plain) if packed else plain
    flow = over(body, sent=sent or body, headers=((b"content-encoding", b"gzip"),) if packed else ())
    assert "Canary" not in repr(flow.get_state())
    flow.revert()
    assert len(flow.request.content or b"") == len(plain), "it can be read as its headers say"


def test_a_body_that_was_not_rewritten_is_in_memory_once() -> None:
    flow = over(BODY, sent=bytes(bytearray(BODY)))
    backup = backup_of(flow)
    assert backup is not None and backup["request"]["content"] is flow.request.raw_content


def test_a_copy_to_be_sent_again_knows_nothing_of_what_happened() -> None:
    flow = over()
    copy = pristine(flow)
    assert copy.id != flow.id and copy.request.raw_content == BODY
    assert copy.response is None and copy.error is None
    assert (copy.comment, copy.marked, copy.metadata) == ("", "", {})
    assert not copy.modified() and flow.response is not None and flow.comment


def test_the_clients_credential_is_given_back_to_what_is_sent_again() -> None:
    for again in (pristine(over()), over(), over().copy()):
        flow = again
        restore(flow)
        assert flow.request.headers["x-api-key"] == "key-of-the-client-itself"
        assert flow.request.headers["anthropic-version"] == "2023-06-01"


def test_a_duplicate_gets_the_credential_of_its_original() -> None:
    flow = over()
    duplicate = flow.copy()
    assert restore(duplicate) and duplicate.request.headers["x-api-key"] == "key-of-the-client-itself"
    assert flow.request.raw_content != BODY


def test_what_the_client_sent_is_sent_again_and_not_what_an_attempt_made_of_it() -> None:
    flow = over()
    assert restore(flow) and not edited(HTTPFlow.from_state(flow.get_state()))
    assert (flow.request.path, flow.request.raw_content) == ("/v1/messages?beta=true", BODY)


def test_what_the_user_has_edited_is_sent_as_it_is() -> None:
    flow = over()
    flow.request.text = '{"model":"mine"}'
    assert edited(flow) and not restore(flow)
    assert flow.request.text == '{"model":"mine"}'
    assert flow.request.headers["x-api-key"] == "key-of-the-client-itself"


def test_a_recording_has_no_credential_to_give_back() -> None:
    state = over().get_state()
    state["metadata"]["turnout.exchange"] = "of another day"
    loaded = HTTPFlow.from_state(state)
    assert restore(loaded) and loaded.request.raw_content == BODY
    assert loaded.request.headers["x-api-key"] == MASK


def test_the_request_as_the_routes_look_at_it() -> None:
    request = client_request(over())
    assert (request.path, request.body, request.model) == ("/v1/messages?beta=true", BODY, "opus")
    assert request.headers["anthropic-version"] == "2023-06-01"


def test_a_flow_without_a_backup_is_taken_as_it_is() -> None:
    flow = tflow.tflow(req=tutils.treq(content=BODY), resp=True)
    assert pristine(flow).request.raw_content == BODY and flow.response is not None
