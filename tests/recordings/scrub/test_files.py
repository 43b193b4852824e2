"""Scrubbing from file to file: one flow at a time, as a whole or not at all, and clear about what it could not read."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.io import FlowReader

from tests.recordings.scrub.test_flow import EMAIL, PLANTED, exchange, read, recording
from turnout.recordings.scrub import files as module
from turnout.recordings.scrub.files import ScrubError, scrub, scrub_file


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "recordings" / "in.mitm"
    file.parent.mkdir()
    file.write_bytes(recording(exchange(), exchange()))
    return file


@pytest.fixture
def target(source: Path) -> Path:
    return source.with_name("out.mitm")


def test_a_file_is_scrubbed_like_its_bytes(source: Path, target: Path) -> None:
    done = scrub_file(source, target, {"127.0.0.1:4711": "first.invalid:80"})
    data = target.read_bytes()
    assert data == scrub(source.read_bytes(), {"127.0.0.1:4711": "first.invalid:80"})
    assert (done.flows, done.size, done.left_out) == (2, len(data), {})
    assert done.texts == 4 and done.hosts >= 1 and done.identifiers > 0
    assert sorted(target.parent.iterdir()) == [source, target]


def test_an_old_file_is_replaced_as_a_whole(source: Path, target: Path) -> None:
    target.write_bytes(b"x" * 1_000_000)
    scrub_file(source, target)
    assert len(read(target.read_bytes())) == 2


@pytest.mark.parametrize("keep_text", [False, True])
def test_what_would_be_left_stops_it(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch, keep_text: bool
) -> None:
    """The last look does not trust the scrubber. The first flow is fine; of the second nothing may stay behind."""
    flows = iter([False, True])

    def forgetful(self: Any, flow: Any) -> Any:
        if next(flows):
            flow.comment = f"written by {EMAIL}"
            return flow
        return scrub_flow(self, flow)

    scrub_flow = module.Scrubber.flow
    monkeypatch.setattr(module.Scrubber, "flow", forgetful)
    target.write_bytes(b"before")
    with pytest.raises(ScrubError, match=r"Left in flow 2: .*e-mail address at byte \d+.* Nothing was w") as caught:
        scrub_file(source, target, keep_text=keep_text)
    assert PLANTED not in str(caught.value)
    assert target.read_bytes() == b"before"
    assert sorted(target.parent.iterdir()) == [source, target]


@pytest.mark.parametrize("whole", [0, 1, 2])
def test_a_recording_that_breaks_off(source: Path, target: Path, whole: int) -> None:
    """As mitmdump leaves it when it is killed."""
    flows = [recording(exchange()) for _ in range(whole + 1)]
    source.write_bytes(b"".join(flows)[: -len(flows[-1]) // 2])
    told = f"after {whole} whole flow" if whole else "no flow file"
    with pytest.raises(ScrubError, match=told):
        scrub_file(source, target)
    assert list(target.parent.iterdir()) == [source]


@pytest.mark.parametrize(
    "content", [b"Once upon a time", b"", b"{}", b'{"log": {"entries": [{}]}}', b"4:{}xx,", b"0:}", bytes(9), b"999:x"]
)
def test_what_is_no_recording(source: Path, target: Path, content: bytes) -> None:
    source.write_bytes(content)
    with pytest.raises(ScrubError, match=r"Nothing was written\.$"):
        scrub_file(source, target)
    assert list(target.parent.iterdir()) == [source]


def test_missing_files_and_folders(source: Path, target: Path) -> None:
    with pytest.raises(ScrubError, match=r"missing: No such file"):
        scrub_file(source.with_name("missing"), target)
    with pytest.raises(ScrubError, match="No such file"):
        scrub_file(source, target / "deeper")


def test_a_har_file_is_read_too(source: Path, target: Path) -> None:
    said = json.dumps({"messages": [{"role": "user", "content": PLANTED}]})
    entry = {
        "startedDateTime": "2026-01-01T00:00:00Z",
        "time": 1,
        "request": {
            "method": "POST",
            "url": "https://api.provider.example/v1/messages?key=" + PLANTED,
            "httpVersion": "HTTP/1.1",
            "headers": [{"name": "x-api-key", "value": PLANTED}, {"name": "content-type", "value": "application/json"}],
            "postData": {"text": said},
        },
        "response": {"status": 200, "httpVersion": "HTTP/1.1", "headers": [], "content": {"text": PLANTED}},
    }
    source.write_text(json.dumps({"log": {"entries": [entry]}}))
    scrub_file(source, target)
    (flow,) = read(target.read_bytes())
    assert PLANTED.encode() not in target.read_bytes()
    assert flow.request.url == "https://host-1.invalid/v1/messages?key=***"
    first = target.read_bytes()
    scrub_file(source, target)
    assert target.read_bytes() == first


def test_only_one_flow_is_in_memory(source: Path, target: Path) -> None:
    flow = exchange()
    flow.request.content = json.dumps({"messages": [{"role": "user", "content": "x" * 200_000}]}).encode()
    source.write_bytes(recording(*[flow] * 60))
    tracemalloc.start()
    scrub_file(source, target)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert source.stat().st_size > 12_000_000 > peak
    with target.open("rb") as stream:
        assert sum(1 for _ in FlowReader(stream).stream()) == 60
