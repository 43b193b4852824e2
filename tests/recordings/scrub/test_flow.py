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

from turnout.recordings.scrub.files import findings, scrub, scrub_file
from turnout.recordings.scrub.flow import TURNOUT, Scrubber
from turnout.recordings.scrub.headers import EPOCH

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


def test_who_has_served_is_told_in_the_header_as_in_the_notes() -> None:
    """The names of providers stay in comment and metadata: the header hid them alone. What says anything else goes."""
    notes = {"turnout.exchange": "4e1fa0c3b2d1", "turnout.provider": "mine", "turnout.model": f"m {EMAIL}"}

    def header(value: str, metadata: dict[str, str]) -> str:
        flow = exchange(metadata=metadata)
        flow.response.headers["x-turnout-served-by"] = value
        flow.request.headers["x-turnout-served-by"] = value
        once = Scrubber().flow(flow)
        assert once.request.headers["x-turnout-served-by"] == "***"
        clean = Scrubber().flow(once)
        assert clean.response is not None and once.response is not None
        assert clean.response.headers["x-turnout-served-by"] == once.response.headers["x-turnout-served-by"]
        return str(once.response.headers["x-turnout-served-by"])

    assert header(f"mine/m {EMAIL}", notes).startswith("mine/m ") and PLANTED not in header(f"mine/m {EMAIL}", notes)
    assert header("mine/m", {**notes, "turnout.model": "m"}) == "mine/m"
    assert header(PLANTED, notes) == header("mine/m", {}) == header("/", {"turnout.exchange": "1"}) == "***"


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
        marked=PLANTED,
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
    flow.metadata["turnout.provider"] = "anthropic"
    once = scrub(recording(flow, exchange()))
    assert scrub(once) == once


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
    + [f"/{folder}/x" for folder in ("workspace", "workspaces", "tmp", "private", "mnt", "var/folders")]
    + ["192.168.0.7", "printer.local", "AKIAABCDEFGHIJKLMNOP", "~/notes"],
)
def test_findings(text: str) -> None:
    found = findings(b"before " + text.encode() + b" after")
    assert found and text not in str(found)


@pytest.mark.parametrize("text", ["text/event-stream", "claude-code-20250219", "127.0.0.1:8082", "sk-", "tmp", "roots"])
def test_no_findings(text: str) -> None:
    assert findings(text.encode()) == []


def test_the_clients_own_request_is_scrubbed_like_the_attempt() -> None:
    """The backup is the request as the client sent it: same ids and times, Turnout's own address, nothing planted."""
    session = "9840cf6b-3739-47ed-a8df-5469480d39ed"
    flow = exchange(headers={"x-claude-code-session-id": session, "x-api-key": PLANTED}, marked=":warning:")
    flow.client_conn.sockname = ("127.0.0.1", 45671)
    flow.request.host, flow.request.port = flow.client_conn.sockname
    flow.server_conn.address = None
    flow.backup()
    flow.request.url = "https://api.minimax.example/anthropic/v1/messages"
    flow.server_conn.address = ("api.minimax.example", 443)
    flow.request.content = flow.request.content.replace(b"claude-opus-4-8", b"MiniMax-M2")
    (clean,) = read(scrub(recording(flow)))
    backup = clean._backup
    assert (backup["request"]["host"], backup["request"]["port"]) == TURNOUT
    assert (clean.request.host, clean.request.path) == ("host-1.invalid", "/anthropic/v1/messages")
    assert dict(backup["request"]["headers"])[b"host"] == b"127.0.0.1:8082"
    assert dict(backup["request"]["headers"])[b"x-api-key"] == b"***"
    assert json.loads(backup["request"]["content"])["model"] == "claude-opus-4-8"
    assert (backup["id"], backup["timestamp_created"]) == (clean.id, clean.timestamp_created)
    header = clean.request.headers["x-claude-code-session-id"]
    assert dict(backup["request"]["headers"])[b"x-claude-code-session-id"].decode() == header != session
    assert backup["backup"] is None and clean.marked == ":warning:"
    clean.revert()
    assert clean.request.path == "/v1/messages?beta=true"


def test_no_backup_comes_out_of_nothing() -> None:
    (clean,) = read(scrub(recording(exchange())))
    assert clean._backup is None


def test_flows_that_are_no_exchanges_are_left_out(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mitm", tmp_path / "out.mitm"
    source.write_bytes(recording(tflow.ttcpflow(), exchange(), tflow.twebsocketflow(), tflow.ttcpflow()))
    done = scrub_file(source, target)
    assert (done.flows, done.left_out) == (1, {"tcp": 2, "websocket": 1})
    assert done.size == target.stat().st_size
    assert len(read(target.read_bytes())) == 1


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/v1/messages", "/v1/messages"),
        ("/anthropic/v1/messages/count_tokens?beta=true", "/anthropic/v1/messages/count_tokens?beta=true"),
        ("/v1/models/claude-opus-4-8", "/v1/models/claude-opus-4-8"),
        ("/model/anthropic.claude/invoke", "/model/000000000.000001/invoke"),
        (f"/{PLANTED}/v1/files/file_011CNha8iCJcU1wXNR6q4V8w", "/000000000001/v1/files/file_000000000000000000000001"),
        (f"/v1?key=1&{PLANTED}&a={PLANTED}&b=7", "/v1?key=1&***&a=***&b=7"),
        ("/", "/"),
        ("*", "*"),
    ],
)
def test_paths(path: str, clean: str) -> None:
    flow = exchange()
    flow.request.path = path
    assert Scrubber().flow(flow).request.path == clean


def test_lengths_in_headers_are_those_of_the_bodies() -> None:
    flow = exchange()
    flow.request.content = b'{"metadata": {"user_id": "{\\"a\\": \\"\\\\u00e9\\"}"}}'
    flow.response.encode("gzip")
    clean = Scrubber().flow(flow)
    for message in (clean.request, clean.response):
        assert int(message.headers["content-length"]) == len(message.raw_content)
        json.loads(message.content)


@pytest.mark.parametrize("words", [f"seen by {PLANTED}", f"{PLANTED} → anthropic 200"])
def test_a_comment_of_somebody_else_is_prose(words: str) -> None:
    """Turnout's own comments are facts; they stand beside its metadata."""
    clean = Scrubber().flow(exchange(comment=words))
    assert PLANTED not in clean.comment and len(clean.comment) == len(words.encode())
    noted = exchange(comment="opus → anthropic 200", metadata={"turnout.exchange": "4e1fa0c3b2d1"})
    assert Scrubber().flow(noted).comment == "opus → anthropic 200"


@pytest.mark.parametrize(
    ("words", "clean"),
    [
        ("attempt 1/2 · first · 429 quota, resets 07:39", "attempt 1/2 · first · 429 quota, resets 12:00"),
        ("attempt 1/2 · first · 429 quota, resets 2026-11-21 23:39", "attempt 1/2 · first · 429 quota, resets 12:00"),
        ("until 2026-11-21T07:39:12.5+01:00 (07:39:12)", "until 12:00 (12:00)"),
        ("no api.corp:443, 10-4:80 and [fe80::12:34]", "no (address), (address) and [fe80::(address)]"),
        ("cannot reach ('api.corp', 443) at 24:10", "cannot reach (address) at (address)"),
    ],
)
def test_a_time_of_day_is_no_address(words: str, clean: str) -> None:
    """It is the same one in every published file."""
    once = Scrubber().flow(exchange(comment=words, metadata={"turnout.exchange": "4e1fa0c3b2d1"}))
    assert once.comment == clean
    assert Scrubber().flow(once).comment == clean


def test_a_markers_name_stays_and_nothing_else() -> None:
    assert Scrubber().flow(exchange(marked=":x:")).marked == ":x:"
    assert Scrubber().flow(exchange(marked=PLANTED)).marked == ":default:"


def test_kept_text() -> None:
    """The words stay; keys, addresses and paths in them do not."""
    flow = exchange(url="http://api.provider.example:4711/v1/messages", comment="my note")
    said = f"Ask {EMAIL}: {HOME}/x has {KEY} for api.provider.example."
    flow.request.content = json.dumps({"messages": [{"role": "user", "content": said}]}).encode()
    data = scrub(recording(flow), keep_text=True)
    (clean,) = read(data)
    told = json.loads(clean.request.content)["messages"][0]["content"]
    assert told == f"Ask {'*' * len(EMAIL)}: {'*' * len(HOME + '/x')} has {'*' * len(KEY)} for {'*' * 20}."
    assert clean.comment == "my note"
    assert findings(data) == []
    assert scrub(data, keep_text=True) == data


def test_a_body_that_cannot_be_decoded_becomes_filler() -> None:
    """A connection was lost in the middle of compressed data: what is there cannot be read, and not be searched."""
    flow = exchange()
    flow.response.headers["content-encoding"] = "gzip"
    flow.response.raw_content = PLANTED.encode()
    data = scrub(recording(flow))
    (clean,) = read(data)
    assert clean.response.raw_content == b"Lorem ipsum " and "content-encoding" not in clean.response.headers
    assert scrub(data) == data
