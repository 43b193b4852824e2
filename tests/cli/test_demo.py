"""`turnout demo`: its providers, its claims, and the whole of it in a process of its own."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Turnout
from turnout.cli import demo
from turnout.cli.demo_answers import quota_used_up, recorded_answer, recorded_events
from turnout.errors import TurnoutError
from turnout.settings.load import load
from turnout.testing.provider import ScriptedProvider
from turnout.testing.replies import close_after
from turnout.testing.wire import RecordedRequest
from turnout.wire.sse import parse_event


@pytest.fixture
async def second() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider(recorded_answer(0), strict="nothing") as provider:
        yield provider


def test_the_recording_follows_the_grammar_of_messages_streams() -> None:
    events = [event for frame in recorded_events() if (event := parse_event(frame))]
    data = [json.loads(event.data) for event in events]
    assert [event.name for event in events] == [item["type"] for item in data]
    names = [event.name for event in events]
    assert names[:3] == ["message_start", "content_block_start", "ping"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(names[3:-3]) == {"content_block_delta"}
    assert data[0]["message"]["content"] == []
    assert data[-2]["delta"]["stop_reason"] == "end_turn"
    seconds = names.count("content_block_delta") / demo.TOKENS_PER_SECOND
    assert 2 < seconds < 6


def test_the_recording_fits_a_narrow_terminal() -> None:
    texts = [json.loads(event.data) for frame in recorded_events() if (event := parse_event(frame))]
    text = "".join(item["delta"]["text"] for item in texts if item["type"] == "content_block_delta")
    assert max(map(len, text.splitlines())) <= 76


async def test_the_first_provider_refuses_as_a_used_up_plan_does() -> None:
    async with (
        ScriptedProvider(quota_used_up(), strict="nothing") as first,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        answer = await client.post(f"{first.url}/v1/messages", content=b"{}")
    assert answer.status_code == 429
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert answer.headers["anthropic-ratelimit-unified-status"] == "rejected"
    remaining = int(answer.headers["anthropic-ratelimit-unified-reset"]) - time.time()
    assert 0 < remaining <= float(answer.headers["retry-after"])
    assert len(first.messages) == 1


async def test_the_client_prints_the_text_and_keeps_the_bytes(
    second: ScriptedProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    received = await demo.ask(second.url)
    assert (received.status, received.body) == (200, b"".join(recorded_events()))
    assert received.first_event > 0
    assert [request.body for request in second.messages] == [demo.REQUEST]
    assert capsys.readouterr().out.startswith("  │ You are reading the second try at your request.\n")


async def test_an_answer_that_breaks_off() -> None:
    async with ScriptedProvider(close_after(3), strict="nothing") as provider:
        with pytest.raises(TurnoutError, match="the answer broke off: "):
            await demo.ask(provider.url)


def provider(*bodies: bytes) -> ScriptedProvider:
    """One that was sent these."""
    sent = ScriptedProvider(strict="nothing")
    sent.requests += [RecordedRequest("POST", "/v1/messages", [], body) for body in bodies]
    return sent


@pytest.mark.parametrize(
    ("status", "body", "first", "second", "problem"),
    [
        (502, b'{"type":"error"}', [demo.REQUEST], [], 'the proxy answered 502: {"type":"error"}'),
        (200, b"event: x\n\n", [demo.REQUEST], [demo.REQUEST], "not the one the second provider sent"),
        (200, None, [], [demo.REQUEST], "provider first was not sent"),
        (200, None, [demo.REQUEST], [demo.REQUEST] * 2, "provider second was not sent"),
        (200, None, [demo.REQUEST], [b"{}"], "provider second was not sent"),
    ],
)
def test_a_demo_that_shows_something_else_fails(
    status: int, body: bytes | None, first: list[bytes], second: list[bytes], problem: str
) -> None:
    received = demo.Shown(status, b"".join(recorded_events()) if body is None else body, 0.1)
    with pytest.raises(TurnoutError, match=problem):
        demo.check(received, provider(*first), provider(*second))


def test_its_configuration_is_valid(home: Path) -> None:
    demo.write_config(home / "demo.conf", {"first": "http://127.0.0.1:1", "second": "http://127.0.0.1:2"})
    settings = load(str(home / "demo.conf"), {})
    assert settings.routes[0].to == ("first", "second")
    assert settings.providers["first"].base_url == "http://127.0.0.1:1"


def test_what_the_user_has_configured_does_not_count(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_LISTEN__PORT", "1")
    before = dict(os.environ)
    with demo.isolated("/nowhere"):
        assert "TURNOUT_LISTEN__PORT" not in os.environ
        assert os.environ["HOME"] == os.environ["XDG_STATE_HOME"] == "/nowhere"
    assert dict(os.environ) == before


@pytest.mark.e2e
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_demo_shows_a_failover(turnout_process: Turnout, home: Path, encoding: str) -> None:
    """A1, B3: with the user's own configuration broken and pinned, which the demo must not even see.

    A terminal that has no arrows makes no difference.
    """
    (home / "mitm.conf").write_text("[broken")
    (home / ".env").write_text("TURNOUT_LISTEN__PORT=nonsense\n")
    state = home / "state"
    (state / "turnout").mkdir(parents=True)
    (state / "turnout" / "provider").write_text("elsewhere")
    before = sorted(home.rglob("*"))
    surroundings = {"XDG_STATE_HOME": str(state), "TURNOUT_CONFIG": "/nowhere", "PYTHONIOENCODING": encoding}
    outcome = turnout_process("demo", "--fast", **surroundings)
    assert (outcome.code, outcome.err) == (0, "")
    assert "You are reading the second try at your request." in outcome.out
    assert "429 quota" in outcome.out
    assert "2 tries" in outcome.out
    assert "The client sent one request and got one answer: status 200" in outcome.out
    assert "turnout run" in outcome.out
    assert sorted(home.rglob("*")) == before
