"""`mitmdump -S`: failover chains with every provider answered from the recording; nothing can leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from mitmproxy.io import FlowWriter

from tests.e2e.claude_code import HAIKU
from tests.replay.sessions import LAST, OPUS, SESSIONS, SONNET
from tests.replay.sessions import chain as chained
from tests.replay.stage import keys
from tests.replay.support import CHAIN, posts, sha256
from turnout.testing.fixtures import StartMitmdump
from turnout.testing.proxy import MitmdumpProcess

pytestmark = pytest.mark.e2e

MODELS = (SONNET, HAIKU, OPUS, LAST)
"""In the order of the recording; each has failures of its own (sessions.failover_chain)."""

OFFLINE = {
    "keepserving": "true",
    "server_replay_refresh": "false",
    # Without it mitmproxy stops guarding the way out once everything has been replayed.
    "server_replay_reuse": "true",
}
PROVIDERS = SESSIONS["failover-chain"].config
KEYS = keys(PROVIDERS)


def chain(model: str) -> list[Any]:
    """The recorded attempts of the request for this model, in order; the last one is the exchange."""
    return [flow for flow in posts(CHAIN) if f'"model":"{model}"'.encode() in flow.request.content]


def ask(process: MitmdumpProcess, recorded: Any) -> httpx.Response:
    """The request as its client sent it, with the masked credential."""
    headers = [(name, value) for name, value in recorded.request.headers.fields if name.lower() != b"host"]
    with httpx.Client(trust_env=False) as client:
        return client.post(process.url + recorded.request.path, content=recorded.request.raw_content, headers=headers)


def replay(mitmdump: StartMitmdump, out: Path, extra: str, *models: str) -> tuple[list[httpx.Response], list[Any]]:
    """What the client got for the chains of these models, and what mitmdump saved."""
    options = {**OFFLINE, "server_replay_extra": extra}
    process = mitmdump(PROVIDERS, "-S", str(CHAIN), "-w", str(out), environment=KEYS, options=options)
    answers = [ask(process, chain(model)[0]) for model in models]
    assert process.stop() == 0, process.output
    assert_offline(posts(out))
    return answers, posts(out)


def assert_offline(flows: list[Any]) -> None:
    """mitmproxy began no connection for any of these flows."""
    assert [flow.server_conn.timestamp_start for flow in flows] == [None] * len(flows)


@pytest.mark.parametrize(
    ("model", "extra", "verdicts", "told"),
    [
        (SONNET, "kill", ["overloaded", "ok"], "attempt 1/4 · first · 200 with overloaded_error"),
        # A connection that was lost has no answer to replay; mitmproxy's 500 takes its place.
        (HAIKU, "500", ["transient", "ok"], "attempt 1/4 · first · 500"),
        (OPUS, "500", ["overloaded", "transient", "quota", "ok"], "attempt 1/4 · first · 529 overloaded"),
    ],
)
def test_a_chain_replays_offline(
    mitmdump: StartMitmdump, tmp_path: Path, model: str, extra: str, verdicts: list[str], told: str
) -> None:
    """B2, C1, C3: the client gets the last provider's stream, whole; each attempt is saved with what it meant."""
    *failed, served = chain(model)
    (answer,), flows = replay(mitmdump, tmp_path / "out.mitm", extra, model)
    assert answer.status_code == 200 and answer.content == served.response.raw_content
    assert answer.content.endswith(b'data: {"type":"message_stop"}\n\n')
    assert answer.headers["content-type"] == served.response.headers["content-type"]
    names = ["first", "second", "third", "fourth"][: len(verdicts)]
    assert flows[0].comment.startswith(told), flows[0].comment
    assert [flow.metadata["turnout.verdict"] for flow in flows] == verdicts
    assert [flow.metadata["turnout.attempt"] for flow in flows] == [f"{number + 1}/4" for number in range(len(flows))]
    assert [flow.metadata["turnout.provider"] for flow in flows] == names
    assert len({flow.metadata["turnout.exchange"] for flow in flows}) == 1
    last = flows[-1]
    assert last.comment.startswith(f"{model} → first ")
    assert f"→ {names[-1]} 200 · {len(names)} tries" in last.comment
    assert {sha256(flow.request) for flow in flows} == {sha256(served.request)}
    assert last.response.raw_content == served.response.raw_content
    for flow, recorded in zip(flows, failed, strict=False):
        if recorded.response is not None:
            assert flow.response.raw_content == recorded.response.raw_content
    assert all(flow.request.headers["x-api-key"] == "***" for flow in flows)


def test_the_whole_recording_replays_in_one_run(mitmdump: StartMitmdump, tmp_path: Path) -> None:
    """B3, D5: a cooldown of one model leaves the others alone, so that every chain meets its own failures.

    Only the quota of the third provider is one of all models: the last request passes it over, and fails everywhere.
    """
    answers, flows = replay(mitmdump, tmp_path / "out.mitm", "500", *MODELS)
    *served, failed = answers
    assert [answer.content for answer in served] == [chain(model)[-1].response.raw_content for model in MODELS[:-1]]
    assert failed.status_code >= 400
    attempts = [(flow.request.host, sha256(flow.request)) for flow in flows]
    assert attempts == [(flow.request.host, sha256(flow.request)) for flow in posts(CHAIN)]


def test_a_cooled_provider_is_not_asked_again(mitmdump: StartMitmdump, tmp_path: Path) -> None:
    """B3: what failed for the first request is not asked by the second one."""
    answers, flows = replay(mitmdump, tmp_path / "out.mitm", "500", OPUS, OPUS)
    assert [answer.status_code for answer in answers] == [200, 200]
    names = ["first", "second", "third", "fourth", "fourth"]
    assert [flow.request.host for flow in flows] == [f"{name}.invalid" for name in names]


def test_a_retry_gets_the_next_recorded_answer(mitmdump: StartMitmdump, tmp_path: Path) -> None:
    """A14: two answers to one request are used in their order, and showing the failed attempt uses none of them up."""
    failed, served = chain(SONNET)
    served.request = failed.request.copy()
    recording, out = tmp_path / "retry.mitm", tmp_path / "out.mitm"
    with recording.open("wb") as stream:
        writer = FlowWriter(stream)
        writer.add(failed)
        writer.add(served)
    text = chained("first").replace('"0s"', '"5s"\ninitial = "1ms"')
    options = {**OFFLINE, "server_replay_reuse": "false", "server_replay_extra": "kill"}
    process = mitmdump(text, "-S", str(recording), "-w", str(out), environment=KEYS, options=options)
    answer = ask(process, failed)
    assert answer.status_code == 200 and answer.content == served.response.raw_content
    assert process.stop() == 0, process.output
    assert [flow.metadata["turnout.verdict"] for flow in posts(out)] == ["overloaded", "ok"]
    assert_offline(posts(out))


def test_a_request_that_was_never_recorded_stays_here(mitmdump: StartMitmdump, tmp_path: Path) -> None:
    """All attempts get mitmproxy's 500 instead of a connection; the client learns that all failed."""
    out = tmp_path / "out.mitm"
    options = {**OFFLINE, "server_replay_extra": "500"}
    process = mitmdump(PROVIDERS, "-S", str(CHAIN), "-w", str(out), environment=KEYS, options=options)
    flow = chain(OPUS)[0]
    flow.request.content = flow.request.content.replace(b'"stream":true', b'"stream":true ')
    assert ask(process, flow).status_code == 500
    assert process.stop() == 0, process.output
    assert_offline(posts(out))
    names = ["first", "second", "third", "fourth", "fourth"]
    assert [flow.request.host for flow in posts(out)] == [f"{name}.invalid" for name in names]
