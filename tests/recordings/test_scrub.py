"""Scrubbed flow files: whatever a flow can hold, nothing of a person, a machine or a secret is left."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import tflow

from turnout.recordings.scrub import EPOCH, Scrubber, ScrubError, findings, main, scrub

PLANTED = "quetzalcoatl"
KEY = "sk-ant-api03-" + PLANTED
EMAIL = f"ada@{PLANTED}.example"
HOME = f"/home/{PLANTED}"


def recording(*flows: Any) -> bytes:
    out = BytesIO()
    writer = FlowWriter(out)
    for flow in flows:
        writer.add(flow)
    return out.getvalue()


def read(data: bytes) -> list[Any]:
    return list(FlowReader(BytesIO(data)).stream())


def exchange(**changes: Any) -> Any:
    """A finished Messages exchange in reverse mode."""
    body = {"model": "claude-opus-4-8", "messages": [{"role": "user", "content": f"{PLANTED} {EMAIL} {HOME} {KEY}"}]}
    flow = tflow.tflow(resp=True)
    flow.request = http.Request.make(
        "POST",
        changes.pop("url", "http://127.0.0.1:4711/v1/messages?beta=true"),
        json.dumps(body),
        {"content-type": "application/json", "host": f"{PLANTED}:4711", **changes.pop("headers", {})},
    )
    flow.response = http.Response.make(
        200, json.dumps({"content": [{"type": "text", "text": PLANTED}]}), {"content-type": "application/json"}
    )
    for name, value in changes.items():
        setattr(flow, name, value)
    return flow


def test_nothing_planted_is_left_anywhere() -> None:
    flow = exchange(
        url=f"http://{PLANTED}.corp:4711/v1/messages?beta=true&key={PLANTED}",
        headers={
            "authorization": f"Bearer {KEY}",
            "x-api-key": KEY,
            "cookie": PLANTED,
            "x-forwarded-for": PLANTED,
            "x-claude-code-session-id": PLANTED,
            "referer": PLANTED,
            "user-agent": f"claude-cli {EMAIL}",
        },
        comment=f"{KEY} in {HOME} of {EMAIL}",
        metadata={"turnout.reason": f"{KEY}", "other": PLANTED},
    )
    flow.backup()
    flow.request.trailers = http.Headers(x_trailer=PLANTED)
    flow.response.headers["set-cookie"] = PLANTED
    flow.response.encode("gzip")
    flow.client_conn.peername = (PLANTED, 1)
    flow.client_conn.sni = PLANTED
    flow.server_conn.address = (f"{PLANTED}.corp", 4711)
    flow.server_conn.sni = PLANTED
    flow.error = tflow.terr(f"cannot reach ('{PLANTED}', 4711) {KEY}")
    data = scrub(recording(flow))
    assert PLANTED.encode() not in data and b"ada@" not in data
    assert findings(data) == []
    (clean,) = read(data)
    assert clean.request.headers["x-api-key"] == clean.request.headers["x-forwarded-for"] == "***"
    assert clean.request.url == "http://host-1.invalid/v1/messages?beta=true&key=***"
    assert clean.request.headers["host"] == "host-1.invalid"
    assert json.loads(clean.response.content) == {"content": [{"type": "text", "text": "Lorem ipsum "}]}


def test_it_does_not_touch_what_it_was_given() -> None:
    flow = exchange()
    before = flow.get_state()
    Scrubber().flow(flow)
    assert flow.get_state() == before


def test_twice_is_once() -> None:
    flow = exchange(headers={"request-id": "req_01AbC", "date": "Tue, 01 Jan 2030 00:00:00 GMT"})
    flow.response.headers["anthropic-ratelimit-unified-reset"] = str(int(flow.request.timestamp_start) + 3600)
    flow.response.headers["anthropic-ratelimit-requests-reset"] = "2030-01-01T00:00:00Z"
    flow.metadata["turnout.exchange"] = "4e1fa0c3b2d1"
    once = scrub(recording(flow, exchange()))
    assert [flow.get_state() for flow in read(scrub(once))] == [flow.get_state() for flow in read(once)]


def test_the_same_run_gives_the_same_bytes() -> None:
    """Ids, times and ports of a run leave no trace."""
    first, second = exchange(), exchange(url="http://127.0.0.1:4712/v1/messages?beta=true")
    first.client_conn, second.client_conn = tflow.tclient_conn(), tflow.tclient_conn()
    first.id, second.id = "9840cf6b-3739-47ed-a8df-5469480d39ed", "c135f015-db5c-45f5-93bd-384dedc12051"
    for flow in (first, second):
        flow.server_conn.address = ("127.0.0.1", flow.request.port)
    assert scrub(recording(first)) == scrub(recording(second))
    (clean,) = read(scrub(recording(first)))
    assert clean.timestamp_created == EPOCH


def test_a_reset_keeps_its_distance() -> None:
    flow = exchange()
    flow.response.headers["anthropic-ratelimit-unified-reset"] = str(int(flow.request.timestamp_start) + 3600)
    (clean,) = read(scrub(recording(flow)))
    assert abs(int(clean.response.headers["anthropic-ratelimit-unified-reset"]) - EPOCH - 3600) <= 60


def test_hosts_are_named() -> None:
    data = scrub(recording(exchange()), {"127.0.0.1:4711": "first.invalid:80"})
    (clean,) = read(data)
    assert (clean.request.host, clean.request.port) == ("first.invalid", 80)
    assert clean.request.headers["host"] == "first.invalid"


def test_a_session_is_the_same_in_header_and_body() -> None:
    session = "9840cf6b-3739-47ed-a8df-5469480d39ed"
    flow = exchange(headers={"X-Claude-Code-Session-Id": session})
    flow.request.content = json.dumps({"metadata": {"user_id": json.dumps({"session_id": session})}}).encode()
    clean = Scrubber().flow(flow)
    inner = json.loads(json.loads(clean.request.content)["metadata"]["user_id"])
    assert inner["session_id"] == clean.request.headers["x-claude-code-session-id"] != session


@pytest.mark.parametrize(
    "text",
    [KEY, "Bearer abcdefgh12", EMAIL, HOME, "/Users/ada/x", "/root/.claude", "C:\\Users\\ada"]
    + [f"/{folder}/x" for folder in ("work", "tmp", "private", "mnt")]
    + ["192.168.0.7", "printer.local", "AKIAABCDEFGHIJKLMNOP", "~/notes"],
)
def test_findings(text: str) -> None:
    found = findings(b"before " + text.encode() + b" after")
    assert found and text not in str(found)


@pytest.mark.parametrize("text", ["text/event-stream", "claude-code-20250219", "127.0.0.1:8082", "sk-", "tmp", "roots"])
def test_no_findings(text: str) -> None:
    assert findings(text.encode()) == []


def test_a_file_that_cannot_be_made_clean_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A tool's name is kept, so one that holds an address stops the recording instead of leaking it."""
    flow = exchange()
    flow.request.content = json.dumps({"tools": [{"name": EMAIL}]}).encode()
    source, target = tmp_path / "raw.mitm", tmp_path / "clean.mitm"
    source.write_bytes(recording(flow))
    assert main([str(source), str(target)]) == 1
    assert not target.exists()
    told = capsys.readouterr().err
    assert "e-mail address at byte" in told and PLANTED not in told


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "raw.mitm", tmp_path / "clean.mitm"
    source.write_bytes(recording(exchange()))
    assert main([str(source), str(target), "127.0.0.1:4711=provider.invalid:80"]) == 0
    assert [flow.request.host for flow in read(target.read_bytes())] == ["provider.invalid"]
    assert main([str(source)]) == main([str(source), str(target), "x"]) == 2
    assert main([str(tmp_path / "missing"), str(target)]) == 1
    assert main([str(source), str(target), "x=y"]) == 1
    assert "HOST:PORT" in capsys.readouterr().err


@pytest.mark.parametrize("flow", [tflow.ttcpflow(), tflow.twebsocketflow()])
def test_only_http_exchanges(flow: Any) -> None:
    with pytest.raises(ScrubError, match="no HTTP exchange"):
        scrub(recording(flow))


def test_a_body_that_cannot_be_decoded_is_refused() -> None:
    flow = exchange()
    flow.response.headers["content-encoding"] = "gzip"
    with pytest.raises(ScrubError, match="cannot be decoded"):
        scrub(recording(flow))


def test_a_damaged_file_is_an_error_not_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "raw.mitm"
    source.write_bytes(recording(exchange())[:-20])
    assert main([str(source), str(tmp_path / "clean.mitm")]) == 1
    assert not (tmp_path / "clean.mitm").exists()
    assert capsys.readouterr().err.startswith("turnout: ")
