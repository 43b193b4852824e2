"""A canary in every place where a flow can hold one; none is in the scrubbed file, nor in the HAR made of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import certs, http
from mitmproxy.proxy import mode_specs
from mitmproxy.test import tflow

from tests.recordings.scrub.test_flow import read, recording
from turnout.recordings.scrub.files import findings, scrub
from turnout.testing.fixtures import StartMitmdump

SECRET_NAMES = (
    ["authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "x-turnout-key", "cookie"]
    + ["anthropic-workspace-id", "x-amz-security-token", "helicone-auth", "cf-aig-authorization", "x-custom-thing"]
    + ["x-forwarded-for", "x-forwarded-user", "referer", "origin", "from", "traceparent", "baggage", "user-agent"]
    + ["via", "anthropic-organization-id", "x-claude-code-session-id", "x-request-id", "x-my-company-gateway"]
)
ANSWER_NAMES = [
    "set-cookie",
    "www-authenticate",
    "request-id",
    "anthropic-organization-id",
    "cf-ray",
    "location",
    "x-trace",
] + ["openai-organization", "etag", "report-to", "alt-svc", "x-amzn-requestid", "server-timing", "date"]


class Canaries:
    """Every call gives another secret, in one of the forms in which secrets come; `left` finds them again."""

    forms = ("sk-ant-api03-canary{}x", "canary{}x", "ghp_canary{}xxxxxxxxxxxxxxxxxxxxxxxxxx", "canary{}x@mail.example")

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, form: int | None = None) -> str:
        self.count += 1
        return self.forms[self.count % len(self.forms) if form is None else form].format(self.count)

    def left(self, data: bytes) -> list[int]:
        spellings = [data, *_base64_of(data)]
        return [n for n in range(1, self.count + 1) if any(f"canary{n}x".encode() in text for text in spellings)]


def _base64_of(data: bytes) -> Iterator[bytes]:
    """HAR holds binary bodies so."""
    for word in data.replace(b'"', b" ").split():
        if len(word) > 8 and len(word) % 4 == 0:
            try:
                yield base64.b64decode(word, validate=True)
            except ValueError:
                continue


def request_body(canary: Canaries) -> bytes:
    """Opaque canaries wherever somebody writes freely; keys of a known form in names that stay."""
    body = {
        "model": "claude-opus-4-8",
        "system": [{"type": "text", "text": canary()}],
        "tools": [
            {
                "name": "Bash",
                "description": canary(),
                "input_schema": {
                    "type": "object",
                    "title": canary(),
                    "properties": {"path": {"description": canary(), "default": canary(), "examples": [canary()]}},
                },
            },
            {"name": canary(0), "input_schema": {"type": "object"}},
        ],
        "mcp_servers": [{"type": "url", "url": f"https://{canary(1)}.example", "authorization_token": canary()}],
        "messages": [
            {"role": "user", "content": canary()},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": canary(), "signature": canary(1)},
                    {"type": "tool_use", "id": canary(1), "name": "Bash", "input": tool_input(canary)},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": canary(1), "content": [{"type": "text", "text": canary()}]},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": canary(1)}},
                    {"type": "document", "source": {"type": "text", "data": canary()}, "title": canary()},
                    {"type": "search_result", "source": canary(), "title": canary(), "content": [{"text": canary()}]},
                ],
            },
        ],
        "metadata": {"user_id": json.dumps({"device_id": canary(), "account_uuid": canary(), "org": canary()})},
        "stop_sequences": [canary()],
        "container": canary(1),
        "unheard_of": {"deep": [{"deeper": [[canary()]]}]},
    }  # fmt: skip
    return json.dumps(body).encode()


def tool_input(canary: Canaries) -> dict[str, Any]:
    return {"type": canary(), "id": canary(1), canary(0): {"data": [canary()]}}


def stream(canary: Canaries) -> bytes:
    key = canary(0)
    deltas: list[dict[str, Any]] = [
        {"type": "text_delta", "text": canary()},
        {"type": "text_delta", "text": f"{canary()} and {key[:9]}"},
        {"type": "text_delta", "text": key[9:]},
        {"type": "thinking_delta", "thinking": canary()},
        {"type": "signature_delta", "signature": canary(1)},
        {"type": "input_json_delta", "partial_json": json.dumps({"a": canary()})},
        {"type": "citations_delta", "citation": {"cited_text": canary(), "url": f"https://{canary(1)}.example/"}},
    ]
    data = [{"type": "content_block_delta", "index": index, "delta": delta} for index, delta in enumerate(deltas)]
    start = {"type": "message_start", "message": {"id": canary(1), "model": "claude-opus-4-8", "usage": {}}}
    failed = {"type": "error", "error": {"type": "api_error", "message": f"key {canary(0)} of {canary(3)}"}}
    frames = [f"event: {item['type']}\ndata: {json.dumps(item)}\n\n" for item in [start, *data, failed]]
    return (f": {canary()}\n\nid: {canary()}\n" + "".join(frames) + f"data: {canary()}\n\n{canary()}\n").encode()


def flow_full_of(canary: Canaries) -> Any:
    flow = tflow.tflow(resp=True, err=True)
    flow.request = http.Request.make(
        "POST",
        f"https://{canary(1)}:{canary(1)}@{canary(1)}.example:4711/{canary(1)}/v1/messages"
        f"?key={canary()}&{canary()}&x={canary()}",
        request_body(canary),
        [(b"content-type", b"application/json"), (b"host", f"{canary(1)}.example".encode())]
        + [(name.encode(), f"Bearer {canary()}".encode()) for name in SECRET_NAMES]
        + [(f"x-{canary(0)}".encode(), b"1")],
    )
    flow.request.path = f"/{canary(1)}{flow.request.path}"
    flow.request.authority = f"{canary(1)}.example"
    flow.request.trailers = http.Headers([(b"x-checksum", canary().encode())])
    flow.response = http.Response.make(
        200,
        stream(canary),
        [(b"content-type", b"text/event-stream"), (b"content-encoding", b"gzip")]
        + [(name.encode(), canary().encode()) for name in ANSWER_NAMES],
    )
    flow.response.reason = canary()
    flow.response.trailers = http.Headers([(b"x-checksum", canary().encode())])
    flow.error = tflow.terr(f"cannot reach ('{canary(1)}.example', 443): {canary(0)} of {canary(3)}")
    return flow


def with_connections(flow: Any, canary: Canaries) -> Any:
    certificate = certs.Cert(certs.create_ca(canary(1), canary(1), 1024)[1])
    client, server = flow.client_conn, flow.server_conn
    client.peername, client.sockname = (f"{canary(1)}.example", 1), (f"{canary(1)}.example", 2)
    client.sni, client.error = f"{canary(1)}.example", canary(0)
    client.proxy_mode = mode_specs.ProxyMode.parse(f"reverse:https://{canary(1)}.example@8080")
    client.mitmcert, client.certificate_list = certificate, [certificate]
    server.address, server.peername = (f"{canary(1)}.example", 443), (f"{canary(1)}.example", 443)
    server.sockname, server.sni, server.error = (f"{canary(1)}.example", 3), f"{canary(1)}.example", canary(0)
    server.certificate_list = [certificate]
    server.via = ("https", (f"{canary(1)}.example", 8080))
    return flow


def recorded(canary: Canaries) -> bytes:
    """A flow whose backup is another request full of canaries, and one that another program's addon has written to."""
    flow = with_connections(flow_full_of(canary), canary)
    flow.comment, flow.marked = canary(), canary()
    flow.metadata = {"other": canary(), "turnout.reason": f"401 for {canary(0)}", "number": 1}
    flow.metadata |= {"turnout.usage": canary(3), "turnout.exchange": canary(1)}
    flow.backup()
    flow.request = flow_full_of(canary).request
    plain = with_connections(flow_full_of(canary), canary)
    plain.comment, plain.metadata = canary(), {canary(): [canary(), {"deep": canary()}]}
    plain.response.headers["content-encoding"] = "unheard-of"
    form = with_connections(flow_full_of(canary), canary)
    form.request.headers["content-type"] = "application/x-www-form-urlencoded"
    form.request.content = f"grant_type=refresh_token&refresh_token={canary()}&{canary()}=1".encode()
    form.error = None
    form.response = http.Response.make(404, f"<html>{canary()}</html>", {"content-type": "text/html"})
    return recording(flow, plain, form)


@pytest.fixture(scope="module")
def scrubbed() -> tuple[Canaries, bytes]:
    canary = Canaries()
    data = recorded(canary)
    # Others are compressed, in pieces or in certificates.
    assert len(canary.left(data)) > 300
    return canary, scrub(data)


def test_no_canary_is_left_in_any_byte(scrubbed: tuple[Canaries, bytes]) -> None:
    canary, data = scrubbed
    assert canary.left(data) == []
    assert b"BEGIN CERTIFICATE" not in data
    assert findings(data) == []


def test_it_is_still_the_same_conversation(scrubbed: tuple[Canaries, bytes]) -> None:
    _, data = scrubbed
    first, second, third = read(data)
    body = json.loads(first.request.content)
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][1]["content"][1]["name"] == "Bash"
    assert first.response.status_code == 200 and first.response.content.count(b"event: content_block_delta") == 7
    assert json.loads(first._backup["request"]["content"]).keys() == body.keys()
    assert first.metadata.keys() == {"turnout.exchange", "turnout.reason", "turnout.usage"}
    assert second.metadata == {} and third.response.status_code == 404
    assert scrub(data) == data


def test_kept_texts_hold_no_secret_either() -> None:
    """Opaque canaries in prose are prose; what has the form of a secret or an e-mail address is not."""
    canary = Canaries()
    canary.forms = (canary.forms[0], canary.forms[0], canary.forms[2], canary.forms[3])
    flow = tflow.tflow(resp=True)
    flow.request.headers["content-type"] = "application/json"
    flow.request.content = request_body(canary)
    flow.response.headers["content-type"] = "text/event-stream"
    flow.response.content = stream(canary)
    data = scrub(recording(flow), keep_text=True)
    assert canary.left(data) == [] and findings(data) == []
    assert scrub(data, keep_text=True) == data


@pytest.mark.e2e
def test_har_of_a_scrubbed_recording(scrubbed: tuple[Canaries, bytes], mitmdump: StartMitmdump, tmp_path: Path) -> None:
    """What of a recording survives the way to HAR and back: requests, answers, headers and bodies, and no canary.

    Lost are comment, marker, metadata, backup, error, trailers and the proxy's mode: HAR has no place for them. A flow
    with both an answer and an error comes twice: mitmproxy's exporter counts both.
    """
    canary, data = scrubbed
    source, har, back = tmp_path / "clean.mitm", tmp_path / "clean.har", tmp_path / "back.mitm"
    source.write_bytes(data)
    process = mitmdump(None, "-nr", str(source), "--set", f"hardump={har}", mode=None, script=None)
    assert process.exit_code() == 0, process.output
    assert canary.left(har.read_bytes()) == [] and findings(har.read_bytes()) == []
    process = mitmdump(None, "-nr", str(har), "-w", str(back), mode=None, script=None)
    assert process.exit_code() == 0, process.output
    after = read(back.read_bytes())
    before = [flow for flow in read(data) for _ in range(2 if flow.error else 1)]
    for flow, copy in zip(before, after, strict=True):
        assert copy.request.method == flow.request.method
        assert copy.request.url == flow.request.pretty_url
        assert copy.request.raw_content == flow.request.raw_content
        assert copy.request.headers.fields == flow.request.headers.fields
        assert copy.response.status_code == flow.response.status_code
        assert copy.response.headers.get("content-type") == flow.response.headers.get("content-type")
        assert (copy.comment, copy.marked, copy.metadata, copy._backup, copy.error) == ("", "", {}, None, None)
        assert copy.request.trailers is copy.response.trailers is None
        assert copy.request.timestamp_start == flow.request.timestamp_start
        assert copy.response.raw_content == flow.response.raw_content
