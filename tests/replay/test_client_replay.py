"""`mitmdump -C`: recorded requests of Claude Code go through Turnout to a strict provider."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.replay.sessions import QUOTA
from tests.replay.stage import CLIENT_KEY
from tests.replay.support import CLIENT, KEYS, PLAIN, config, posts, sha256
from turnout.testing import replies
from turnout.testing.fixtures import StartMitmdump
from turnout.testing.provider import ScriptedProviderThread
from turnout.testing.recording import read_flows

pytestmark = pytest.mark.e2e


def summary(flow: Any) -> tuple[Any, ...]:
    """Provider, attempt and verdict as the flow's metadata tell them."""
    return tuple(flow.metadata.get(f"turnout.{name}") for name in ("provider", "attempt", "verdict"))


def test_every_request_reaches_the_provider_as_recorded(mitmdump: StartMitmdump, tmp_path: Path) -> None:
    """A1, A8: the bodies are byte-identical, the masked credential of the recording is replaced by Turnout's own."""
    out = tmp_path / "out.mitm"
    recorded = posts(CLIENT)
    with ScriptedProviderThread(replies.sse(), accepts=KEYS["FIRST_KEY"], forbid=["***"]) as provider:
        process = mitmdump(config({"first": provider.url}), "-C", str(CLIENT), "-w", str(out), environment=KEYS)
        assert process.exit_code() == 0, process.output
    assert provider.violations == [] and provider.refusals == []
    assert [request.sha256 for request in provider.messages] == [sha256(flow.request) for flow in recorded]
    assert [request.target for request in provider.messages] == [flow.request.path for flow in recorded]
    assert [request.lower["anthropic-beta"] for request in provider.messages] == [
        flow.request.headers["anthropic-beta"] for flow in recorded
    ]
    flows = posts(out)
    assert [flow.id for flow in flows] == [flow.id for flow in recorded]
    for flow in flows:
        assert flow.is_replay == "request"
        assert summary(flow) == ("first", "1/1", "ok") and flow.metadata["turnout.body"] == "identical"
        assert f"{json.loads(flow.request.content)['model']} → first 200" in flow.comment
        assert json.loads(flow.metadata["turnout.usage"])["output_tokens"] == 15
        assert flow.response.content.endswith(b'data: {"type":"message_stop"}\n\n')
        assert flow.request.headers["x-api-key"] == "***"
    assert len({flow.metadata["turnout.exchange"] for flow in flows}) == len(flows)


def test_what_turnout_answers_itself_stays_here(mitmdump: StartMitmdump, tmp_path: Path) -> None:
    """B5: Claude Code's connection check is answered without a provider."""
    out = tmp_path / "out.mitm"
    with ScriptedProviderThread(accepts=KEYS["FIRST_KEY"]) as provider:
        process = mitmdump(config({"first": provider.url}), "-C", str(CLIENT), "-w", str(out), environment=KEYS)
        assert process.exit_code() == 0, process.output
    assert {request.method for request in provider.requests} == {"POST"}
    checks = [flow for flow in read_flows(out) if flow.request.method == "HEAD"]
    assert [flow.response.status_code for flow in checks] == [200, 200]


def test_replayed_requests_fail_over(mitmdump: StartMitmdump, tmp_path: Path) -> None:
    """B2, C1: a quota at the first provider; the attempt is saved as a flow of its own beside the one that served."""
    out = tmp_path / "out.mitm"
    first = ScriptedProviderThread(QUOTA, accepts=KEYS["FIRST_KEY"], forbid=[CLIENT_KEY, KEYS["SECOND_KEY"]])
    second = ScriptedProviderThread(replies.sse(), accepts=KEYS["SECOND_KEY"], forbid=[CLIENT_KEY, KEYS["FIRST_KEY"]])
    with first, second:
        text = config({"first": first.url, "second": second.url})
        process = mitmdump(text, "-C", str(CLIENT), "-w", str(out), environment=KEYS)
        assert process.exit_code() == 0, process.output
    assert first.violations == second.violations == []
    flows = posts(out)
    assert [summary(flow) for flow in flows] == [
        ("first", "1/2", "quota"),
        ("second", "2/2", "ok"),
        *[("second", "1/2", "ok")] * 3,
    ]
    assert flows[0].comment.startswith("attempt 1/2 · first · 429 quota")
    assert flows[0].metadata["turnout.exchange"] == flows[1].metadata["turnout.exchange"]
    assert [flow.response.status_code for flow in flows] == [429, 200, 200, 200, 200]
    assert [request.sha256 for request in second.messages] == [sha256(flow.request) for flow in posts(CLIENT)]


def test_what_was_noted_at_the_recording_is_forgotten(mitmdump: StartMitmdump, tmp_path: Path) -> None:
    """The flow was saved by Turnout with its note. Replayed without a credential it must not say that it was served."""
    out = tmp_path / "out.mitm"
    (recorded,) = posts(PLAIN)
    assert recorded.metadata["turnout.verdict"] == "ok" and "anthropic 200" in recorded.comment
    process = mitmdump(config({"first": "http://127.0.0.1:9"}), "-C", str(PLAIN), "-w", str(out))
    assert process.exit_code() == 0, process.output
    (flow,) = posts(out)
    assert flow.response.status_code >= 400
    assert "200" not in flow.comment
    assert not {"turnout.verdict", "turnout.usage", "turnout.provider"} & flow.metadata.keys()
    assert flow.metadata.get("turnout.exchange") != recorded.metadata["turnout.exchange"]
