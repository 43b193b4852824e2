"""The client's request beside what attempts make of it: kept without secrets, and sent again with them."""

from __future__ import annotations

from mitmproxy.http import HTTPFlow
from mitmproxy.test import tflow, tutils

from turnout.inspect.masking import mask_client_side
from turnout.inspect.pristine import client_request, give_back_credential, keep_pristine, pristine
from turnout.settings.secret import MASK

BODY = b'{"model":"opus"}'


def under_way() -> HTTPFlow:
    """A flow whose request has become an attempt at a provider."""
    headers = ((b"x-api-key", b"sk-ant-api03-client-key"), (b"anthropic-version", b"2023-06-01"))
    request = tutils.treq(path=b"/v1/messages?beta=true", headers=headers, content=BODY, port=9)
    flow = tflow.tflow(req=request, resp=True)
    flow.metadata["other"] = "kept"
    keep_pristine(flow, flow.request.headers.fields)
    flow.request.host, flow.request.path = "provider.invalid", "/anthropic/v1/messages"
    flow.request.raw_content = b'{"model":"other"}'
    flow.request.headers["x-api-key"] = "key-of-provider"
    flow.metadata["turnout.exchange"], flow.comment, flow.marked = "abc", "opus → first 200", ":x:"
    return flow


def test_reverting_gives_the_request_of_the_client_to_the_address_it_spoke_to() -> None:
    flow = under_way()
    flow.revert()
    assert (flow.request.path, flow.request.raw_content) == ("/v1/messages?beta=true", BODY)
    assert (flow.request.data.host, flow.request.data.port) == tuple(flow.client_conn.sockname)[:2]
    assert flow.request.headers["x-api-key"] == MASK


def test_no_secret_is_in_what_is_saved() -> None:
    flow = under_way()
    mask_client_side(flow)
    assert "client-key" not in repr(flow.get_state()) and "key-of-provider" not in repr(flow.get_state())


def test_a_copy_to_be_sent_again_knows_nothing_of_what_happened() -> None:
    flow = under_way()
    mask_client_side(flow)
    copy = pristine(flow)
    assert copy.id != flow.id and copy.request.raw_content == BODY
    assert copy.response is None and copy.error is None
    assert (copy.comment, copy.marked, copy.metadata) == ("", "", {})
    assert not copy.modified() and flow.response is not None and flow.comment


def test_the_clients_credential_is_given_back_to_what_is_sent_again() -> None:
    flow = under_way()
    mask_client_side(flow)
    copy = pristine(flow)
    give_back_credential(copy)
    assert copy.request.headers["x-api-key"] == "sk-ant-api03-client-key"
    assert copy.request.headers["anthropic-version"] == "2023-06-01"


def test_a_recording_has_no_credential_to_give_back() -> None:
    flow = under_way()
    mask_client_side(flow)
    loaded = HTTPFlow.from_state(flow.get_state())
    copy = pristine(loaded)
    give_back_credential(copy)
    assert copy.request.headers["x-api-key"] == MASK and copy.request.raw_content == BODY


def test_the_request_as_the_routes_look_at_it() -> None:
    request = client_request(under_way())
    assert (request.path, request.body, request.model) == ("/v1/messages?beta=true", BODY, "opus")
    assert request.headers["anthropic-version"] == "2023-06-01"


def test_a_flow_without_a_backup_is_taken_as_it_is() -> None:
    flow = tflow.tflow(req=tutils.treq(content=BODY), resp=True)
    assert pristine(flow).request.raw_content == BODY and flow.response is not None
