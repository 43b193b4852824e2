"""No committed recording holds a secret, a person, a machine, or a sentence that somebody else wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.io import FlowReader

from tests import ROOT
from turnout.dialects.chat.seal import opened
from turnout.recordings.scrub.files import findings, scrub
from turnout.redaction.names import SECRET_HEADERS
from turnout.redaction.secret import MASK
from turnout.testing.recording import read_flows

RECORDINGS = sorted((ROOT / "recordings").glob("*.mitm"))
ENGLISH = re.compile(rb"(?i)\b(?:the|you|your|this|that|should|must|when|please|system-reminder)\b")
"""Words without which nobody writes three English sentences; the filler has none of them."""

TALKATIVE = 60
"""Bytes. Protocol words and names are shorter."""

each_recording = pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)


def messages(file: Path) -> Iterator[Any]:
    """Every request and answer of a file, and the requests of the clients that were kept beside those of Turnout."""
    for flow in every_flow(file):
        yield flow.request
        if flow.response is not None:
            yield flow.response


def every_flow(file: Path) -> Iterator[Any]:
    """The flows, and what is in their backups."""
    for flow in read_flows(file):
        yield flow
        if flow.modified():
            pristine = flow.copy()
            pristine.revert()
            yield pristine


def test_there_are_recordings_and_they_are_small() -> None:
    assert len(RECORDINGS) >= 9
    assert sum(file.stat().st_size for file in RECORDINGS) < 3_000_000


@each_recording
def test_the_clients_request_is_kept_once(file: Path) -> None:
    """In the flow of the exchange; what Turnout answered by itself, and a failed attempt, has no other request."""
    for flow in read_flows(file):
        assert flow.modified() is (flow.metadata.get("turnout.part") == "exchange")


@each_recording
def test_nothing_personal_in_any_byte(file: Path) -> None:
    assert findings(file.read_bytes()) == []


@each_recording
def test_scrubbing_it_again_changes_nothing(file: Path) -> None:
    """Whatever the scrubber would replace has been replaced: every text is filler already."""
    again = FlowReader(BytesIO(scrub(file.read_bytes()))).stream()
    assert [flow.get_state() for flow in again] == [flow.get_state() for flow in read_flows(file)]


@each_recording
def test_no_english_in_requests_and_streams(file: Path) -> None:
    """Independent of the scrubber's own idea of filler. An error's message is the provider's fact and stays."""
    for message in messages(file):
        if "error" not in message.text[:40]:
            assert ENGLISH.findall(message.raw_content) == []


def texts_in(body: str) -> Iterator[str]:
    """Every text of a body, with those that are sealed in a signature."""
    for text in re.findall(r'"((?:[^"\\]|\\.)*)"', body):
        seal = opened(text)
        if seal is None:
            yield text
        else:
            yield from texts_in(json.dumps([seal.details, seal.calls]))


@each_recording
def test_long_texts_are_filler(file: Path) -> None:
    """Or identifiers that became numbers, as signatures do. A piece of a tool's input holds several texts."""
    known = ("x-anthropic-billing-header: ", "https://json-schema.org/")
    for message in messages(file):
        for text in texts_in(message.text):
            pieces = () if text.startswith(("{", *known)) else text.split('\\"')
            for piece in pieces:
                if len(piece) > TALKATIVE and "error" not in message.text[:40]:
                    assert "Lorem ipsum dolor" in piece or re.fullmatch("0+[0-9]+", piece)


@each_recording
def test_every_credential_is_masked_and_every_body_readable(file: Path) -> None:
    for message in messages(file):
        secret = {value for name, value in message.headers.items() if name.lower() in SECRET_HEADERS}
        assert secret <= {MASK}
        assert "content-encoding" not in message.headers, "a compressed body would hide from the other checks"


@each_recording
def test_it_can_be_replayed(file: Path) -> None:
    """Recorded in reverse mode, from nowhere else than this machine, to names that lead nowhere."""
    for flow in every_flow(file):
        assert flow.client_conn.proxy_mode.full_spec == "reverse:http://127.0.0.1:9@127.0.0.1:8082"
        assert flow.request.host == "127.0.0.1" or flow.request.host.endswith(".invalid")


def test_the_shape_of_claude_codes_requests_is_kept() -> None:
    """What rewriting will meet: cache markers, a system role inside messages, tools, thinking, sizes."""
    requests = [
        flow.request for flow in read_flows(ROOT / "recordings" / "claude-code-client.mitm") if flow.request.raw_content
    ]
    bodies = [json.loads(request.content) for request in requests]
    assert all(len(request.raw_content) > 70_000 for request in requests)
    assert [body["thinking"]["type"] for body in bodies] == ["adaptive", "adaptive", "enabled", "enabled"]
    for body in bodies:
        assert body["model"].startswith("claude-") and body["stream"] is True
        assert {"Bash", "Read", "Write"} <= {tool["name"] for tool in body["tools"]}
        assert all(tool["input_schema"]["type"] == "object" for tool in body["tools"])
        assert [block.get("cache_control") for block in body["system"]] == [None, *[{"type": "ephemeral"}] * 2]
        assert re.fullmatch(r"x-anthropic-billing-header: cc_version=[0.]+; .*", body["system"][0]["text"])
        assert set(json.loads(body["metadata"]["user_id"])) >= {"device_id", "session_id"}
    roles = [{message["role"] for message in body["messages"]} for body in bodies]
    assert ["system" in names for names in roles] == [True, True, False, False]
    (call,) = [block for block in bodies[1]["messages"][-1]["content"] if block["type"] == "tool_result"]
    assert call["tool_use_id"] in json.dumps(bodies[1]["messages"][:-1])


def test_thinking_blocks_can_be_told_apart() -> None:
    """E9: Turnout knows by the signature who signed a block; each goes back as it was answered."""
    file = ROOT / "recordings" / "foreign-provider.mitm"
    flows = [flow for flow in read_flows(file) if flow.request.raw_content and flow.response is not None]
    answered = [re.search(r'"signature_delta","signature":"(\d+)"', flow.response.text) for flow in flows]
    signatures = [found[1] for found in answered if found is not None]
    assert len(signatures) == len(set(signatures)) == 10
    sent = [set(re.findall(r'"signature":"(\d+)"', flow.request.text)) for flow in flows]
    assert set().union(*sent) <= set(signatures)
