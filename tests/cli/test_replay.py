"""`turnout replay`: its command line, where credentials go, and what it prints."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import Turnout
from tests.recordings.flows import BODY, failure, own, plain, request, save, streamed
from turnout.cli.replay import parsed_pace
from turnout.cli.replay_target import admission_at, checked_url, credentials_for, known_secrets
from turnout.errors import ConfigError
from turnout.settings.load import load
from turnout.testing import replies
from turnout.testing.events import message_start, ping, stream_of, tool_turn
from turnout.testing.provider import API_KEY, ScriptedProviderThread
from turnout.testing.replies import Reply
from turnout.testing.wire import RecordedRequest

COLUMNS = ("events", "text", "tools", "usage")
CANARY = "sk-ant-api03-Canary0123456789"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedProviderThread]:
    monkeypatch.setenv("ANTHROPIC_API_KEY", API_KEY)
    with ScriptedProviderThread() as running:
        yield running
    assert running.violations == []


@pytest.fixture
def file(home: Path) -> Path:
    """A failover chain, a connection check, and a tool turn, as Turnout records them."""
    tools = plain(answer=streamed(tool_turn("Bash", {"command": "ls"})))
    return save(
        home / "recording.mitm",
        *own("a", failure(529, "overloaded_error")),
        plain(request(b"", path="/", method="HEAD")),
        tools,
    )


def in_turn(provider: ScriptedProviderThread) -> None:
    """Have the provider answer as in the recording."""
    provider.play([replies.sse(), replies.sse(tool_turn("Bash", {"command": "ls"}))])


# --- what it prints ---


def test_equal_answers_pass(turnout: Turnout, provider: ScriptedProviderThread, file: Path) -> None:
    in_turn(provider)
    outcome = turnout("replay", str(file), "--to", provider.url, "--compare")
    assert (outcome.code, outcome.err) == (0, "")
    heading, first, third, skipped, total = outcome.out.splitlines()
    assert heading.split() == ["#", "model", "status", *COLUMNS, "first", "total"]
    assert first.split()[:7] == ["1", "claude-opus-4-6", "200", "ok", "ok", "ok", "ok"] and first.endswith("ok")
    assert third.split()[0] == "3"
    assert skipped == "skipped: 1 (no request body)"
    assert total.startswith("2 passed, 0 failed, 1 skipped in ")
    assert [json.loads(request.body) for request in provider.messages] == [BODY, BODY]


def test_different_answers_fail_where_they_are_compared(
    turnout: Turnout, provider: ScriptedProviderThread, file: Path
) -> None:
    assert turnout("replay", str(file), "--to", provider.url).code == 0
    provider.play(
        [replies.sse(stream_of("Hello, I am another.")), replies.error(429, "rate_limit_error", "Slow down.")]
    )
    outcome = turnout("replay", str(file), "--to", provider.url, "--compare")
    assert outcome.code == 1
    assert '1 · text: recorded "Hello from a scripted provide…", now "Hello, I am another."' in outcome.out
    assert "3 · status: recorded 200, now 429 (rate_limit_error: Slow down.)" in outcome.out
    assert "200→429" in outcome.out and "≠" in outcome.out
    assert "0 passed, 2 failed, 1 skipped in " in outcome.out


def test_the_table_fits_eighty_columns(turnout: Turnout, provider: ScriptedProviderThread, home: Path) -> None:
    model = "claude-" + "very-" * 20 + "long"
    file = save(home / "long.mitm", *(plain(request({**BODY, "model": model})) for _ in range(101)))
    provider.play(replies.error(429, "rate_limit_error"))
    lines = turnout("replay", str(file), "--to", provider.url).out.splitlines()
    table = lines[:102]
    assert all(len(line) <= 80 for line in table)
    assert all(line.rstrip().endswith("FAIL") and "…" in line for line in table[1:])


def test_one_json_document(turnout: Turnout, provider: ScriptedProviderThread, file: Path) -> None:
    provider.play([replies.sse(), replies.close_after(3)])
    outcome = turnout("replay", str(file), "--to", provider.url, "--json")
    assert (outcome.code, outcome.err) == (1, "")
    found = json.loads(outcome.out)
    assert (found["passed"], found["failed"], found["skipped"]) == (1, 1, 1)
    assert found["skipped_because"] == {"no request body": 1}
    assert (found["to"], found["provider"], found["compare"]) == (provider.url, None, False)
    first, third = found["exchanges"]
    assert (first["number"], first["passed"], first["faults"], first["differences"]) == (1, True, [], [])
    assert first["now"] == first["recorded"]
    assert (first["model"], first["path"]) == ("claude-opus-4-6", "/v1/messages?beta=true")
    assert 0 < first["first_event"] <= first["total"]
    assert third["faults"] == ["complete"] and third["now"]["complete"] is False
    assert {"events", "tools"} <= {each["name"] for each in third["differences"]}
    assert third["recorded"]["tools"] == ["Bash"]


def test_a_junit_report(turnout: Turnout, provider: ScriptedProviderThread, file: Path, home: Path) -> None:
    provider.play([replies.sse(), replies.error(529, "overloaded_error", "Busy\x0b <&>")])
    outcome = turnout("replay", str(file), "--to", provider.url, "--junit", "report.xml")
    assert outcome.code == 1 and "1 passed, 1 failed" in outcome.out
    suite = ElementTree.parse(home / "report.xml").getroot()[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3",
        "failures": "1",
        "errors": "0",
        "skipped": "1",
    }
    assert float(suite.get("time", "")) > 0
    passed, failed, skipped = suite
    assert (passed.get("classname"), passed.get("name")) == (
        "recording.mitm",
        "1 POST /v1/messages?beta=true claude-opus-4-6",
    )
    assert len(passed) == 0 and float(passed.get("time", "")) > 0
    assert failed[0].tag == "failure" and failed[0].get("type") == "status"
    assert failed[0].get("message") == "status: recorded 200, now 529 (overloaded_error: Busy\\x0b <&>)"
    assert skipped[0].tag == "skipped" and skipped[0].get("message") == "no request body"


def test_results_are_in_the_order_of_the_file(turnout: Turnout, provider: ScriptedProviderThread, home: Path) -> None:
    """Whatever order they come in: the answer to the first is sent after that to the second."""
    gate = asyncio.Event()

    def script(request: RecordedRequest) -> Reply:
        if request.model == "claude-one":
            return replies.sse(gate=gate)
        gate.set()
        return replies.sse()

    provider.play(script)
    names = ("claude-one", "claude-two", "claude-three")
    file = save(home / "f", *(plain(request({**BODY, "model": name})) for name in names))
    outcome = turnout("replay", str(file), "--to", provider.url, "--concurrency", "2", "--json")
    assert [each["model"] for each in json.loads(outcome.out)["exchanges"]] == list(names)
    assert outcome.code == 0


def test_only_what_can_be_compared_is_compared(turnout: Turnout, provider: ScriptedProviderThread, home: Path) -> None:
    lost = plain()
    lost.response = None
    file = save(home / "f", lost, plain())
    assert "2 passed, 0 failed, 0 skipped" in turnout("replay", str(file), "--to", provider.url).out
    outcome = turnout("replay", str(file), "--to", provider.url, "--compare")
    assert "skipped: 1 (no answer recorded)" in outcome.out and outcome.code == 0


def test_nothing_shows_a_secret(turnout: Turnout, provider: ScriptedProviderThread, home: Path) -> None:
    """G1: a recording of a plain mitmdump holds credentials, and answers may quote them."""
    sent = request({**BODY, "model": f"claude-{CANARY}"}, path=f"/v1/messages?beta=true&api_key={CANARY}-in-path")
    sent.headers["x-api-key"] = f"{CANARY}-of-the-recording"
    file = save(home / "f", plain(sent, streamed(tool_turn("Bash", {"command": f"echo {CANARY}-in-input"}))))
    refusal = replies.error(401, "authentication_error", f"bad key {API_KEY}")
    for script in (replies.sse(stream_of(f"Your key is {API_KEY}, {CANARY}", n_chunks=30)), refusal):
        provider.play(script)
        for more in ((), ("--json",), ("--junit", "report.xml")):
            outcome = turnout("replay", str(file), "--to", provider.url, "--compare", *more)
            assert outcome.code == 1
            printed = outcome.out + outcome.err
            printed += (home / "report.xml").read_text() if "--junit" in more else ""
            assert "anary" not in printed and API_KEY[12:] not in printed
    assert all(arrived.lower["x-api-key"] == API_KEY for arrived in provider.messages)
    assert all(arrived.target == "/v1/messages?beta=true" for arrived in provider.messages)
    assert outcome.err == "turnout: credentials in the recording are not sent: api_key, x-api-key\n"


def test_an_answer_may_not_take_longer_than_the_configuration_says(
    turnout: Turnout, provider: ScriptedProviderThread, file: Path, home: Path
) -> None:
    (home / "mitm.conf").write_text('timeouts.request = "200ms"\n')
    provider.play([replies.sse(), replies.sse([message_start(), *[ping()] * 100_000], delay=0.01)])
    outcome = turnout("replay", str(file), "--to", provider.url)
    assert outcome.code == 1 and "1 passed, 1 failed" in outcome.out
    assert "3 · complete: " in outcome.out and "(not at its end after 0.2 s)" in outcome.out


# --- the command line ---


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--to", "http://127.0.0.1:9", "--provider", "anthropic"), "--provider: it pins the provider of the Turnout"),
        (("--provider", "anthropi"), "'anthropi' is not a provider of the configuration. Did you mean anthropic?"),
        (("--to", "127.0.0.1:9"), "--to: not an http(s) URL; write for example http://127.0.0.1:8082"),
        (("--to", "http://me:pw@127.0.0.1:9"), "--to: a base URL holds no user, password, query or fragment"),
        (("--pace", "slow"), "--pace: 'slow' is no pace. Write asap, recorded, or a time such as 500ms or 2s"),
        (("--config", "none.conf"), "none.conf"),
        (("--junit", "none/report.xml"), "none/report.xml: --junit: cannot be written (No such file or directory)"),
    ],
)
def test_mistakes(turnout: Turnout, file: Path, arguments: tuple[str, ...], error: str) -> None:
    outcome = turnout("replay", str(file), *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert error in outcome.err and outcome.err.count("\n") == 1
    assert "pw" not in outcome.err


def test_files_that_cannot_be_replayed(turnout: Turnout, file: Path, home: Path) -> None:
    whole = file.read_bytes()
    (home / "cut").write_bytes(whole[: len(whole) - 10])
    (home / "text").write_text("hello")
    save(home / "checks", plain(request(b"", path="/", method="HEAD")))
    save(home / "empty")
    for name, error in {
        "none": "none: cannot be read (No such file or directory)",
        "cut": "cut: cut short or damaged after flow 3. With mitmproxy 11 a recording is whole only",
        "text": "text: not a flow file.",
        "checks": "checks: nothing to replay (1 × no request body)",
        "empty": "empty: nothing to replay (it holds no flow)",
    }.items():
        outcome = turnout("replay", str(home / name))
        assert (outcome.code, outcome.out) == (2, "")
        assert error in outcome.err and outcome.err.count("\n") == 1


def test_nobody_there(turnout: Turnout, file: Path) -> None:
    outcome = turnout("replay", str(file), "--to", "http://127.0.0.1:9")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("turnout: nothing answers at http://127.0.0.1:9 (")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(("pace", "seconds"), [("asap", 0.0), ("500ms", 0.5), ("2s", 2.0), ("recorded", None)])
def test_paces(pace: str, seconds: float | None) -> None:
    assert parsed_pace(pace) == seconds


@pytest.mark.parametrize("pace", ["", "-1s", "fast", "1 fortnight"])
def test_no_paces(pace: str) -> None:
    with pytest.raises(ConfigError):
        parsed_pace(pace)


@pytest.mark.parametrize(
    "url", ["", "ftp://host", "http://", "https://:443", "http://host:99999", "http://host\n", "http://hôst", "//host"]
)
def test_no_addresses(url: str) -> None:
    with pytest.raises(ConfigError):
        checked_url(url)


def test_an_address_loses_its_last_slash() -> None:
    assert checked_url("https://openrouter.ai/api/") == "https://openrouter.ai/api"


# --- credentials ---

TOKEN, KEY = {"ANTHROPIC_AUTH_TOKEN": "token-of-a-gateway"}, {"ANTHROPIC_API_KEY": "sk-ant-api03-key"}


@pytest.mark.parametrize(
    ("url", "environment", "sent"),
    [
        ("http://127.0.0.1:8082", KEY, {"x-api-key": "sk-ant-api03-key"}),
        ("http://[::1]:8082", KEY, {"x-api-key": "sk-ant-api03-key"}),
        ("http://localhost:1", TOKEN, {"authorization": "Bearer token-of-a-gateway"}),
        ("http://127.0.0.1:8082", {**KEY, **TOKEN}, {"authorization": "Bearer token-of-a-gateway"}),
        ("http://127.0.0.1:8082", {"ANTHROPIC_API_KEY": "proxy-managed"}, {}),
        ("http://127.0.0.1:8082", {"ANTHROPIC_AUTH_TOKEN": "local-dev-key", **KEY}, {"x-api-key": "sk-ant-api03-key"}),
        ("http://127.0.0.1:8082", {}, {}),
        ("https://api.anthropic.com", KEY, {"x-api-key": "sk-ant-api03-key"}),
        ("https://gateway.example", TOKEN, {"authorization": "Bearer token-of-a-gateway"}),
    ],
)
def test_the_credential_that_a_client_would_send(url: str, environment: Mapping[str, str], sent: Any) -> None:
    found, held_back = credentials_for(url, load(None, {}), environment)
    assert ({name: value.reveal() for name, value in found}, held_back) == (sent, "")


@pytest.mark.parametrize(
    ("url", "environment", "reason"),
    [
        ("http://gateway.example", TOKEN, "ANTHROPIC_AUTH_TOKEN is not sent to http://gateway.example: the connection"),
        ("http://192.168.1.5:8082", KEY, "ANTHROPIC_API_KEY is not sent to http://192.168.1.5:8082: the connection"),
        ("http://localhost.evil.example", KEY, "the connection is not encrypted"),
        ("http://127.0.0.1.evil.example", KEY, "the connection is not encrypted"),
        ("https://api.minimax.io/anthropic", KEY, "it is a key of Anthropic, for api.anthropic.com alone"),
        ("https://api.anthropic.com.evil.example", KEY, "it is a key of Anthropic"),
    ],
)
def test_what_a_credential_is_kept_from(url: str, environment: Mapping[str, str], reason: str) -> None:
    """CCP-10: never in the clear, never a key of Anthropic to somebody else."""
    found, held_back = credentials_for(url, load(None, {}), environment)
    assert found == () and reason in held_back
    assert "sk-ant" not in held_back and "token-of" not in held_back


def test_client_keys_stay_with_turnout(home: Path) -> None:
    """A17: the key goes with a request to Turnout, and to nobody else."""
    (home / "mitm.conf").write_text('[access]\nkeys = ["env:TURNOUT_KEY"]\n[listen]\nhost = "192.168.1.5"\n')
    os.environ["TURNOUT_KEY"] = "open-turnout"
    settings, token = load(str(home / "mitm.conf")), {"ANTHROPIC_AUTH_TOKEN": "open-turnout"}
    (field,) = admission_at("http://192.168.1.5:8082", settings).fields("POST", "/")
    assert (field[0], field[1].reveal()) == ("x-turnout-key", "open-turnout")
    (found,), _ = credentials_for("http://192.168.1.5:8082", settings, token)
    assert found[1].reveal() == "Bearer open-turnout"
    found, held_back = credentials_for("https://gateway.example", settings, token)
    assert found == () and "it is a client key of Turnout" in held_back
    assert not admission_at("https://gateway.example", settings).fields("POST", "/")
    for url in ("http://127.0.0.1:8082", "http://localhost:8082", "https://[::1]:1"):
        assert credentials_for(url, settings, token) == ((), ""), "it is proven"
        (field,) = admission_at(url, settings).fields("POST", "/")
        assert field[0] == "x-turnout-proof" and "open-turnout" not in field[1].reveal()
    assert "open-turnout" in {secret.reveal() for secret in known_secrets(settings, {})}


def test_a_credential_that_no_header_can_carry(turnout: Turnout, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-api03-\nkey")
    outcome = turnout("replay", str(file), "--to", "http://127.0.0.1:9")
    assert outcome.code == 2
    assert outcome.err == "turnout: ANTHROPIC_API_KEY: it holds characters that no header can carry\n"


def test_what_was_held_back_is_said(turnout: Turnout, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", API_KEY)
    outcome = turnout("replay", str(file), "--to", "https://0.0.0.0:9")
    assert outcome.code == 1
    first, second = outcome.err.splitlines()
    assert first.startswith("turnout: ANTHROPIC_API_KEY is not sent to https://0.0.0.0:9: it is a key of")
    assert second.startswith("turnout: nothing answers at https://0.0.0.0:9")
