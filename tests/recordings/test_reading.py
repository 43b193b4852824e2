"""A flow file as what a client asked and was answered, whoever recorded it."""

from __future__ import annotations

import gzip
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import tflow

from tests.recordings.flows import BEGAN, BODY, failure, noted, own, plain, request, save, streamed
from turnout.recordings.reading import RecordingError, read_recording, recording_of

COMMITTED = Path(__file__).resolve().parents[2] / "recordings"


def test_every_flow_of_a_plain_recording_is_an_exchange(tmp_path: Path) -> None:
    file = save(tmp_path / "f", plain(), plain(request(b"", path="/", method="HEAD")), plain(after=2.5))
    recording = read_recording(file)
    assert [exchange.number for exchange in recording.exchanges] == [1, 2, 3]
    assert [exchange.unsendable for exchange in recording.exchanges] == ["", "no request body", ""]
    assert [exchange.began - BEGAN for exchange in recording.exchanges][2] == 2.5
    first = recording.exchanges[0]
    assert (first.model, first.request.method, first.request.path) == (
        "claude-opus-4-6", "POST", "/v1/messages?beta=true",
    )  # fmt: skip
    assert json.loads(first.request.body or b"") == BODY
    assert first.answer is not None and first.answer.status == 200
    assert first.answer.content_type == "text/event-stream; charset=utf-8"
    assert first.attempts == () and recording.left_out == {}


def test_of_a_recording_of_turnout_the_client_request_is_read(tmp_path: Path) -> None:
    """B2: the backup is the request as it came in; failed attempts belong to it."""
    file = save(
        tmp_path / "f", *own("a", failure(429, "rate_limit_error"), failure(529, "overloaded_error")), *own("b")
    )
    first, second = read_recording(file).exchanges
    assert first.request.path == "/v1/messages?beta=true" and json.loads(first.request.body or b"") == BODY
    assert first.model == second.model == "claude-opus-4-6"
    assert [flow.response and flow.response.status_code for flow in first.attempts] == [429, 529]
    assert second.attempts == ()
    assert first.answer is not None and first.answer.body == streamed().content


def test_attempts_of_exchanges_under_way_at_the_same_time_are_told_apart() -> None:
    (early, first), (late, second) = own("a", failure(429, "x")), own("b", failure(529, "y"))
    exchanges = recording_of([early, late, second, first]).exchanges
    assert [[flow.response.status_code for flow in each.attempts if flow.response] for each in exchanges] == [
        [529],
        [429],
    ]


def test_older_recordings_of_turnout_are_taken_back_as_far_as_notes_tell() -> None:
    """Neither backup nor part: the last flow of an exchange is the exchange; path prefix and model are undone."""
    sent = {**BODY, "model": "MiniMax-M3"}

    def flow(answer: Any) -> Any:
        recorded = plain(request(sent, path="/anthropic/v1/messages?beta=true"), answer)
        return noted(recorded, "a", None, client_model="claude-opus-4-6[1m]")

    (exchange,) = recording_of([flow(failure(429, "rate_limit_error")), flow(streamed())]).exchanges
    assert exchange.request.path == "/v1/messages?beta=true"
    assert json.loads(exchange.request.body or b"") == {**BODY, "model": "claude-opus-4-6[1m]"}
    assert exchange.model == "claude-opus-4-6[1m]" and len(exchange.attempts) == 1


def test_what_turnout_answered_itself_is_the_request_as_it_came() -> None:
    flow = noted(plain(answer=failure(503, "overloaded_error")), "a", client_model="claude-opus-4-6")
    (exchange,) = recording_of([flow]).exchanges
    assert json.loads(exchange.request.body or b"") == BODY and exchange.request.path == "/v1/messages?beta=true"


def test_an_edit_of_a_plain_recording_was_on_purpose() -> None:
    flow = plain()
    flow.backup()
    flow.request.path = "/v1/messages/count_tokens"
    assert recording_of([flow]).exchanges[0].request.path == "/v1/messages/count_tokens"


def test_what_no_client_asked_is_left_out_and_counted() -> None:
    (attempt, _), second_time = own("a", failure(429, "x")), noted(plain(), "c", retry_of="b")
    recording = recording_of([attempt, second_time, tflow.ttcpflow(), tflow.twebsocketflow()])
    assert recording.exchanges == ()
    assert recording.left_out == {
        "sent a second time by hand": 1,
        "not HTTP": 2,
        "attempt whose request is not in the file": 1,
    }


def test_bodies_that_were_not_kept() -> None:
    flow = plain()
    flow.request.raw_content = None
    assert flow.response is not None
    flow.response.raw_content = None
    (exchange,) = recording_of([flow]).exchanges
    assert exchange.unsendable == "request body not recorded"
    assert exchange.answer is not None and exchange.answer.body is None


def test_a_path_that_would_change_the_host_is_not_sent() -> None:
    flow = plain()
    flow.request.path = "@evil.example/v1/messages"
    assert recording_of([flow]).exchanges[0].unsendable == "no path"


def test_content_codings_stay_on_requests_and_are_undone_on_answers() -> None:
    flow = plain()
    for message in (flow.request, flow.response):
        assert message is not None
        message.encode("gzip")
    (exchange,) = recording_of([flow]).exchanges
    assert json.loads(gzip.decompress(exchange.request.body or b"")) == BODY
    assert exchange.model == "claude-opus-4-6"
    assert exchange.answer is not None and exchange.answer.body == streamed().content


def test_no_answer_is_none() -> None:
    flow = tflow.tflow(req=request(), err=True)
    assert recording_of([flow]).exchanges[0].answer is None


def test_what_is_in_an_exchange_does_not_show_itself() -> None:
    flow = plain()
    flow.request.headers["x-api-key"] = "opensesame"
    flow.request.content = b'{"model":"m","text":"opensesame"}'
    assert "opensesame" not in repr(recording_of([flow]))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"# a README\n", "not a flow file"),
        (b"999999999999:x", "not a flow file"),
        (b"5:hello,", "not a flow file"),
        (b"{not a HAR file", "not a flow file"),
    ],
)
def test_files_that_are_no_recording(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(RecordingError, match=reason) as raised:
        read_recording(file)
    assert str(raised.value).startswith(f"{file}: ")


def test_a_recording_of_a_later_mitmproxy_is_named_as_that(tmp_path: Path) -> None:
    from mitmproxy.io import tnetstring

    file = tmp_path / "file"
    file.write_bytes(tnetstring.dumps({**plain().get_state(), "version": 9999}))
    with pytest.raises(RecordingError, match="update mitmproxy"):
        read_recording(file)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        read_recording(tmp_path / "none")
    with pytest.raises(RecordingError, match="Is a directory"):
        read_recording(tmp_path)


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    assert read_recording(save(tmp_path / "file")).exchanges == ()


_TWO = BytesIO()
for _flow in (plain(), plain()):
    FlowWriter(_TWO).add(_flow)
_WHOLE = _TWO.getvalue()


@given(st.integers(1, len(_WHOLE) - 1))
def test_a_file_that_ends_early_is_refused(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    """Wherever it ends, but for the place between two flows."""
    file = tmp_path_factory.mktemp("cut") / "file"
    file.write_bytes(_WHOLE[:length])
    try:
        recording = read_recording(file)
    except RecordingError as error:
        assert "not a flow file" in str(error) or "cut short or damaged after flow 1" in str(error)
        return
    assert len(recording.exchanges) == 1
    with file.open("rb") as stream:
        assert len(list(FlowReader(stream).stream())) == 1


@pytest.mark.parametrize("file", sorted(COMMITTED.glob("*.mitm")), ids=lambda file: file.stem)
def test_committed_recordings_can_be_read(file: Path) -> None:
    recording = read_recording(file)
    sendable = [exchange for exchange in recording.exchanges if not exchange.unsendable]
    assert sendable
    assert all(exchange.model and exchange.request.path.startswith("/v1/messages") for exchange in sendable)
