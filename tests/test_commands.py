"""The commands for the command bars, called as these do: by a line of text."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mitmproxy import exceptions, types
from mitmproxy.addons.view import View
from mitmproxy.http import HTTPFlow
from mitmproxy.test import tflow

from tests import NO_TLS
from tests.proxy.support import BODY, QUICK, anthropic_table, ask, provider_table, route
from turnout import commands
from turnout.commands import TurnoutCommands
from turnout.flows.bridge import Bridge
from turnout.flows.client_side import client_request
from turnout.reload import LiveSetup
from turnout.settings.places import pin_file
from turnout.status.text import page
from turnout.testing import events, replies
from turnout.testing.fixtures import StartProvider, StartProxy
from turnout.testing.provider import API_KEY, ScriptedProvider
from turnout.testing.proxy import RunningProxy
from turnout.testing.recording import read_flows

NAMES = {
    "turnout.status": "turnout.status  -> str[]",
    "turnout.providers": "turnout.providers  -> str[]",
    "turnout.switch": "turnout.switch provider -> str",
    "turnout.reset": "turnout.reset  -> str",
    "turnout.reload": "turnout.reload  -> str",
    "turnout.explain": "turnout.explain flow -> str[]",
    "turnout.retry": "turnout.retry flow provider -> str",
    "turnout.scrub.save": "turnout.scrub.save flows path -> str",
}

BETA = "interleaved-thinking-2025-05-14"
OVERLOADED = replies.error(529, "overloaded_error")


class Bar:
    """A proxy whose flows are kept in a view, and the command bar that goes with it."""

    def __init__(self, running: RunningProxy) -> None:
        self.running = running
        self.view = View()
        running.master.addons.add(self.view)

    def __call__(self, line: str) -> Any:
        return self.running.master.commands.execute(line)

    def refused(self, line: str) -> str:
        """The error that a command ends with."""
        with pytest.raises(exceptions.CommandError) as caught:
            self(line)
        return str(caught.value)

    def exchange(self, number: int = -1) -> HTTPFlow:
        """A client's exchange that is over; the last one if no number is given."""
        flows = [flow for flow in self.view if flow.metadata.get("turnout.part") == "exchange"]
        found: Any = flows[number]
        return found


StartBar = Callable[..., Awaitable[Bar]]


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=20, trust_env=False, verify=NO_TLS) as client:
        yield client


@pytest.fixture
def bar(proxy: StartProxy) -> StartBar:
    async def start(config: str = "", **options: Any) -> Bar:
        return Bar(await proxy(config, options=options))

    return start


def pair(first: ScriptedProvider, second: ScriptedProvider, extra: str = "") -> str:
    tables = provider_table("first", first, key=API_KEY) + provider_table("second", second, key=API_KEY, extra=extra)
    return QUICK + tables + route("first", "second")


PLAIN = '[providers.mine]\nbase_url = "http://127.0.0.1:9"\nauth = "none"\n'


# --- what there is ---


async def test_every_command_is_there_with_its_types_and_a_help_text(bar: StartBar) -> None:
    known = (await bar()).running.master.commands.commands
    ours = {name: known[name] for name in known if name.startswith("turnout.")}
    assert {name: found.signature_help() for name, found in ours.items()} == NAMES
    assert all(found.help and len(found.help) > 20 for found in ours.values())
    assert all(re.fullmatch("[a-z.]+", name) for name in ours), "mitmweb serves no other names"


async def test_providers_are_offered_for_completion(bar: StartBar) -> None:
    running = (await bar(PLAIN)).running
    offered = running.master.commands.commands["turnout.switch"].parameters[0].type
    kind = types.CommandTypes.get(offered)
    assert kind is not None
    assert kind.completion(running.master.commands, offered, "") == ["mine", "anthropic"]


def test_without_a_valid_configuration_they_say_so() -> None:
    live = LiveSetup(lambda _: None, lambda _: None, lambda _: None)
    with pytest.raises(exceptions.CommandError, match="Turnout has no valid configuration; see its log."):
        TurnoutCommands(Bridge(), live).status()


async def test_a_fault_of_a_command_is_told_and_no_traceback(
    bar: StartBar, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise KeyError(f"Bearer {API_KEY}")

    typed = await bar()
    monkeypatch.setattr(commands, "snapshot", fail)
    assert typed.refused("turnout.status") == "turnout.status failed; see the log."
    (line,) = [record for record in caplog.records if record.name == "turnout.commands"]
    assert line.getMessage().startswith("internal error in turnout.status: KeyError: ") and line.exc_info is None
    assert API_KEY not in caplog.text


# --- status ---


async def test_status_is_the_page_of_the_command_line(
    bar: StartBar, provider: StartProvider, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    typed = await bar(QUICK + provider_table("mine", provider(), key=API_KEY) + route("mine"))
    assert (await ask(client, typed.running.url)).status_code == 200
    health = (await client.get(f"{typed.running.url}/health")).json()
    lines = typed("turnout.status")
    assert lines == page(typed.running.url, health).splitlines()
    assert any(line.split() == ["last", "statuses", "200"] for line in lines)
    (logged,) = [record for record in caplog.records if record.name == "turnout.commands"]
    assert logged.getMessage() == "\n".join(lines) and logged.levelno == logging.INFO


async def test_status_asks_no_store_of_credentials(bar: StartBar, home: Path, client: httpx.AsyncClient) -> None:
    """A keyring may wait for its user: the proxy must not wait with it."""
    (home / "key").write_text("a-key-in-a-file")
    (home / "key").chmod(0o600)
    references = f'"env:NOWHERE", "file:{home}/key", "client"'
    typed = await bar(f'[providers.mine]\nbase_url = "http://127.0.0.1:9"\ncredentials = [{references}]\n')
    before = typed("turnout.status")
    assert (await client.get(f"{typed.running.url}/health")).status_code == 200
    after = typed("turnout.status")
    states = [next(line for line in lines if "file:/" in line) for lines in (before, after)]
    assert f"file:{home}/key: not read yet" in states[0] and "client: from the client" in states[0]
    assert f"file:{home}/key: found" in states[1]


async def test_what_is_to_be_quiet_still_answers(bar: StartBar, caplog: pytest.LogCaptureFixture) -> None:
    typed = await bar(termlog_verbosity="error")
    typed("turnout.status")
    assert [record.getMessage()[:7] for record in caplog.records if record.name == "turnout.commands"] == ["Turnout"]
    logging.getLogger("turnout").setLevel(logging.NOTSET)


# --- switch, reset ---


async def test_switch_and_reset_work_at_once(bar: StartBar, provider: StartProvider, client: httpx.AsyncClient) -> None:
    first, second = provider(), provider()
    typed = await bar(pair(first, second))
    assert typed("turnout.switch second") == (
        f"Pinned to second ({second.url}), without failover. turnout.reset goes back to the routes."
    )
    assert pin_file(os.environ).read_text() == "second\n"
    assert (await ask(client, typed.running.url)).status_code == 200
    assert typed("turnout.reset").startswith("No provider is pinned any more.")
    assert not pin_file(os.environ).exists()
    assert (await ask(client, typed.running.url)).status_code == 200
    assert (len(first.messages), len(second.messages)) == (1, 1)
    assert typed("turnout.reset").startswith("No provider was pinned.")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mins", "Did you mean mine?"),
        ("deepseek", "To use the preset deepseek, add"),
        ("qqqq", "Known: mine, anthropic."),
    ],
)
@pytest.mark.parametrize("line", ["turnout.switch {}", "turnout.retry @all {}"])
async def test_a_provider_that_is_not_known(bar: StartBar, line: str, name: str, said: str) -> None:
    typed = await bar(PLAIN)
    typed.view.add([tflow.tflow()])
    told = typed.refused(line.format(name))
    assert f"{name!r} is not a provider of the configuration. {said}" in told
    assert not pin_file(os.environ).exists()


@pytest.mark.parametrize("line", ["turnout.switch anthropic", "turnout.reset"])
async def test_an_option_outranks_the_pin_and_the_command_says_so(bar: StartBar, line: str) -> None:
    typed = await bar(PLAIN, turnout_provider="mine")
    assert "The option turnout_provider pins mine, and outranks this command." in typed.refused(line)
    assert not pin_file(os.environ).exists()
    assert typed.running.addon.bridge.dispatcher.pinned == "mine"
    typed.running.master.options.update(turnout_provider="")
    typed(line)


async def test_a_pin_that_cannot_be_written(bar: StartBar, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = await bar(PLAIN)
    (home / "taken").write_text("a file")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "taken"))
    assert "cannot be changed (Not a directory). Check the permissions." in typed.refused("turnout.switch mine")


# --- reload ---


async def test_reload_reads_the_configuration_now(bar: StartBar) -> None:
    typed = await bar(PLAIN)
    file = typed.running.addon.bridge.settings.file
    assert typed("turnout.reload") == f"Nothing to change: {file} is in force."
    file.write_text(PLAIN + "max_concurrent = 2\n")
    assert typed("turnout.reload") == f"Configuration reloaded from {file}."
    assert typed.running.addon.bridge.settings.providers["mine"].max_concurrent == 2
    assert typed("turnout.reload").startswith("Nothing to change")


async def test_with_a_mistake_the_old_configuration_stays(bar: StartBar, caplog: pytest.LogCaptureFixture) -> None:
    typed = await bar(PLAIN)
    live, before = typed.running.addon.setup, typed.running.addon.bridge.settings
    before.file.write_text(PLAIN + "max_concurent = 2\n")
    told = typed.refused("turnout.reload")
    assert told.endswith(
        "providers.mine.max_concurent: unknown key. Did you mean max_concurrent? The old configuration stays in force."
    )
    live.look()  # the watch sees it too, and says so once
    assert len(typed.running.errors) == 1
    typed.running.errors.clear()
    assert typed.refused("turnout.reload") == told, "however often it is asked"
    assert typed.running.addon.bridge.settings is before


# --- explain ---


async def test_explain_shows_what_every_target_would_get_now(
    bar: StartBar, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    """C6. What was learned, who is pinned and what the client's betas are is known here."""
    picky = provider(
        lambda request: (
            replies.error(400, "invalid_request_error", "metadata: Extra inputs are not permitted")
            if "metadata" in request.json
            else replies.sse()
        ),
        strict="nothing",
    )
    second = provider()
    typed = await bar(pair(picky, second, 'rewrite.keep_betas = ["keep-*"]'))
    given = {"metadata": {"user_id": "u"}}
    assert (await ask(client, typed.running.url, given, anthropic_beta="keep-1,lose-1")).status_code == 200
    await typed.running.finished(2)
    sent = len(picky.messages), len(second.messages)
    for spec in (f"@{typed.exchange().id}", '"~meta turnout.part:.attempt"'):  # of an attempt its exchange is explained
        lines = typed(f"turnout.explain {spec}")
        assert re.fullmatch(r"claude-opus-4-6 · \d+ bytes · route routes.0 → first, second", lines[0])
        at = lines.index("")
        mine, other = lines[at + 1 : lines.index("", at + 1)], lines[lines.index("", at + 1) + 1 :]
        assert mine[:3] == [
            f"first: POST {picky.url}/v1/messages",
            "rules: drop metadata",
            'learned: rewrite.drop = ["metadata"]',
        ]
        assert '-   "metadata": {' in mine
        assert other[0] == f"second: POST {second.url}/v1/messages"
        assert "- anthropic-beta: keep-1,lose-1" in other and "+ anthropic-beta: keep-1" in other
    assert (len(picky.messages), len(second.messages)) == sent, "nothing is sent"
    typed("turnout.switch second")
    assert "route pinned → second" in typed(f"turnout.explain @{typed.exchange().id}")[0]


async def test_explain_knows_who_has_signed(bar: StartBar, provider: StartProvider, client: httpx.AsyncClient) -> None:
    """The ledger of this process: a thought of the first is nothing for the second."""
    thought = [
        events.message_start(),
        *events.thinking_block(0, ["hm"], signature="c2lnbmF0dXJlLW9mLWZpcnN0LXByb3ZpZGVy" * 4),
        *events.text_block(1, ["yes"]),
        events.message_delta(),
        events.message_stop(),
    ]
    first, second = provider(replies.sse(thought), strict="nothing"), provider(strict="nothing")
    typed = await bar(pair(first, second))
    answer = await ask(client, typed.running.url)
    signature = re.search(r'"signature":\s*"([^"]{40,})"', answer.text)
    assert signature is not None
    block = {"type": "thinking", "thinking": "hm", "signature": signature[1]}
    said = [*BODY["messages"], {"role": "assistant", "content": [block, {"type": "text", "text": "yes"}]}]
    await ask(client, typed.running.url, {"messages": [*said, {"role": "user", "content": "go on"}]})
    await typed.running.finished(2)
    text = "\n".join(typed(f"turnout.explain @{typed.exchange().id}"))
    mine, _, other = text.partition("\nsecond: POST")
    assert "body: identical" in mine
    assert '"thinking": "hm"' in other


async def test_a_very_long_explanation_is_cut(
    bar: StartBar, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    dropped = 'rewrite.drop = ["messages[*].content[*].cache_control"]'
    typed = await bar(pair(provider(), provider(), dropped))
    content = [{"type": "text", "text": f"{n}", "cache_control": {"type": "ephemeral"}} for n in range(4)]
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": "yes"}] * 40
    await ask(client, typed.running.url, {"messages": [*messages, BODY["messages"][0]]})
    await typed.running.finished(1)
    lines = typed(f"turnout.explain @{typed.exchange().id}")
    assert len(lines) == commands.LONGEST + 2
    assert re.fullmatch(r"… and [\d,]+ more lines", lines[-1])


async def test_what_cannot_be_explained(bar: StartBar, provider: StartProvider, client: httpx.AsyncClient) -> None:
    typed = await bar(anthropic_table(provider()))
    await client.get(f"{typed.running.url}/v1/models")
    counting = {"model": BODY["model"], "messages": BODY["messages"]}
    await client.post(f"{typed.running.url}/v1/messages/count_tokens", json=counting, headers={"x-api-key": API_KEY})
    await typed.running.finished(2)
    asked, counted = typed.view
    assert typed.refused(f"turnout.explain @{asked.id}") == (
        "GET /v1/models is no request to a model; there is nothing to explain."
    )
    assert "POST /v1/messages/count_tokens is no request to a model" in typed.refused(f"turnout.explain @{counted.id}")
    assert "specification matched 2" in typed.refused("turnout.explain @all")
    typed.view.add([tcp := tflow.ttcpflow()])
    assert typed.refused(f"turnout.explain @{tcp.id}") == "This flow is no HTTP request."


# --- retry ---


async def test_retry_sends_the_clients_request_once_more_beside_the_old_flow(
    bar: StartBar, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    first = provider(OVERLOADED)
    second = provider()
    typed = await bar(pair(first, second).replace('to = ["first"', 'to = ["first/renamed"'))
    await ask(client, typed.running.url, anthropic_beta=BETA)
    await typed.running.finished(2)
    original = typed.exchange()
    state = json.dumps(original.get_state(), default=repr, sort_keys=True)
    first.play(replies.sse())
    told = typed(f"turnout.retry @{original.id} first")
    number = original.metadata["turnout.exchange"]
    assert told == f"Sent again to first, as a new flow: retry of {number}."
    await typed.running.finished(3)
    again = typed.exchange()
    assert again is not original and again.id != original.id and len(typed.view) == 3
    assert json.dumps(original.get_state(), default=repr, sort_keys=True) == state
    assert again.response is not None and again.response.status_code == 200
    assert again.comment.startswith(f"retry of {number} · claude-opus-4-6 → ") and "→ first 200 · " in again.comment
    assert again.metadata["turnout.provider"] == "first" and again.metadata["turnout.retry_of"] == number
    assert again.metadata["turnout.exchange"] != number
    bodies = [client_request(flow).body for flow in (again, original)]
    assert bodies[0] == bodies[1] and json.loads(bodies[0]) == BODY
    assert first.messages[1].body == first.messages[0].body
    assert first.messages[1].lower["anthropic-beta"] == BETA
    assert again.request.timestamp_start > original.request.timestamp_start


async def test_the_pin_of_a_retry_is_its_own_and_it_does_not_fail_over(
    bar: StartBar, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    first, second = provider(), provider(OVERLOADED)
    typed = await bar(pair(first, second))
    await ask(client, typed.running.url)
    await typed.running.finished(1)
    typed(f"turnout.retry @{typed.exchange().id} second")
    await typed.running.finished(3)
    assert typed.exchange().metadata["turnout.verdict"] == "overloaded"
    await ask(client, typed.running.url)
    assert (len(first.messages), len(second.messages)) == (2, 1)
    assert typed.running.addon.bridge.dispatcher.pinned is None


async def test_the_clients_own_credential_is_used_again_and_never_shown(
    bar: StartBar, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    """A7: it is in memory alone."""
    only = provider()
    typed = await bar(anthropic_table(only))
    assert (await ask(client, typed.running.url)).status_code == 200
    await typed.running.finished(1)
    typed("turnout.retry @all anthropic")
    await typed.running.finished(2)
    assert [request.lower["x-api-key"] for request in only.messages] == [API_KEY, API_KEY]
    assert API_KEY not in repr([flow.get_state() for flow in typed.view])


async def test_of_a_failed_attempt_the_request_of_its_exchange_is_sent(
    bar: StartBar, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    first, second = provider(OVERLOADED), provider()
    typed = await bar(pair(first, second).replace('to = ["first"', 'to = ["first/renamed"'))
    await ask(client, typed.running.url)
    attempt, exchange = (await typed.running.finished(2))[:2]
    assert attempt.metadata["turnout.part"] == "attempt"
    typed(f"turnout.retry @{attempt.id} second")
    await typed.running.finished(3)
    assert [request.json["model"] for request in second.messages] == [BODY["model"]] * 2
    assert typed.exchange().metadata["turnout.retry_of"] == exchange.metadata["turnout.exchange"]
    typed.view.remove([exchange, typed.exchange()])
    assert typed.refused(f"turnout.retry @{attempt.id} second") == (
        "This is a failed attempt, and the flow with the client's request is not there: it is still under way, or was "
        "removed."
    )


async def test_what_is_still_under_way_is_not_sent_again(bar: StartBar, client: httpx.AsyncClient) -> None:
    gate = asyncio.Event()
    async with ScriptedProvider(replies.sse(gate=gate)) as slow:
        typed = await bar(anthropic_table(slow))
        asking = asyncio.ensure_future(ask(client, typed.running.url))
        await slow.arrived(1)
        (flow,) = typed.view
        assert typed.refused(f"turnout.retry @{flow.id} anthropic") == (
            "This exchange is still under way. Retry it when it is over."
        )
        gate.set()
        assert (await asking).status_code == 200


async def test_what_is_no_request_to_a_provider_is_not_sent_again(
    bar: StartBar, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    typed = await bar(anthropic_table(provider()))
    await client.get(f"{typed.running.url}/health")
    await client.post(f"{typed.running.url}/v1/messages", headers={"x-api-key": API_KEY})
    await typed.running.finished(2)
    health, empty = typed.view
    elsewhere = tflow.tflow(resp=True)
    elsewhere.live = False
    assert typed.refused(f"turnout.retry @{health.id} anthropic") == (
        "Turnout answers GET /health itself; no provider is asked."
    )
    assert "The request has no body" in typed.refused(f"turnout.retry @{empty.id} anthropic")
    typed.view.add([elsewhere])
    assert "did not come in reverse mode" in typed.refused(f"turnout.retry @{elsewhere.id} anthropic")
    assert len(typed.view) == 3


async def test_a_flow_from_before_the_clients_request_was_kept(
    bar: StartBar, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    """Recordings of earlier versions hold the request as the provider got it, and the model that the client named."""
    first, second = provider(), provider()
    typed = await bar(pair(first, second).replace('to = ["first"', 'to = ["first/renamed"'))
    await ask(client, typed.running.url)
    await typed.running.finished(1)
    old = typed.exchange()
    old._backup = None
    old.request.path = "/prefix/v1/messages"
    lines = typed(f"turnout.explain @{old.id}")
    assert "route routes.0 → first/renamed, second" in lines[0] and lines[0].startswith("claude-opus-4-6")
    typed(f"turnout.retry @{old.id} second")
    await typed.running.finished(2)
    assert second.messages[0].json == BODY


# --- scrub.save ---


async def saved(typed: Bar, arguments: str) -> str:
    """Has flows written, and waits; what the log then says."""
    begun = typed(f"turnout.scrub.save {arguments}")
    assert begun.startswith("Writing ") and begun.endswith(" The event log tells when it is done.")
    addon = typed.running.master.addons.get("turnoutcommands")
    with log_of("turnout.commands") as lines:
        await asyncio.gather(*addon._tasks)
    (line,) = lines
    return line


@contextmanager
def log_of(name: str) -> Iterator[list[str]]:
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger(name).addHandler(handler)
    try:
        yield lines
    finally:
        logging.getLogger(name).removeHandler(handler)


async def test_scrubbed_flows_are_saved(
    bar: StartBar, provider: StartProvider, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    first, second = provider(OVERLOADED), provider()
    typed = await bar(pair(first, second))
    await ask(client, typed.running.url, {"messages": [{"role": "user", "content": "my own words"}]})
    await typed.running.finished(2)
    file = tmp_path / "kept.mitm"
    file.write_text("old")
    assert await saved(typed, f"@all {file}") == f"Wrote 2 scrubbed flows to {file}."
    assert b"my own words" not in file.read_bytes() and API_KEY.encode() not in file.read_bytes()
    attempt, exchange = read_flows(file)
    assert attempt.metadata["turnout.attempt"] == "1/2" and exchange.metadata["turnout.attempt"] == "2/2"
    assert [path.name for path in tmp_path.iterdir() if "kept" in path.name] == ["kept.mitm"]
    assert await saved(typed, f"@{typed.exchange().id} {file}") == f"Wrote 1 scrubbed flow to {file}."


async def test_what_is_still_under_way_is_left_out(bar: StartBar, client: httpx.AsyncClient, tmp_path: Path) -> None:
    gate, file = asyncio.Event(), tmp_path / "kept.mitm"
    async with ScriptedProvider([replies.sse(), replies.sse(gate=gate)]) as slow:
        typed = await bar(anthropic_table(slow))
        await ask(client, typed.running.url)
        asking = asyncio.ensure_future(ask(client, typed.running.url))
        await slow.arrived(2)
        told = await saved(typed, f"@all {file}")
        assert told == f"Wrote 1 scrubbed flow to {file}. Left out: 1 still under way or no HTTP exchange."
        assert len(read_flows(file)) == 1
        gate.set()
        assert (await asking).status_code == 200


async def test_nothing_is_written_when_something_is_wrong(
    bar: StartBar, provider: StartProvider, client: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = await bar(pair(provider(), provider()))
    file = tmp_path / "kept.mitm"
    assert "There is nothing to write" in typed.refused(f"turnout.scrub.save @all {file}")
    await ask(client, typed.running.url)
    await typed.running.finished(1)
    assert "Leave out the +." in typed.refused(f"turnout.scrub.save @all +{file}")
    assert f"There is no folder {tmp_path}/no" in typed.refused(f"turnout.scrub.save @all {tmp_path}/no/kept.mitm")
    assert f"{tmp_path} is a folder." in typed.refused(f"turnout.scrub.save @all {tmp_path}")
    monkeypatch.setattr(commands, "LARGEST", 10)
    assert "Write them with save.file, then run: turnout scrub IN OUT." in typed.refused(
        f"turnout.scrub.save @all {file}"
    )
    monkeypatch.undo()
    typed.view.add([tcp := tflow.ttcpflow()])
    assert "There is nothing to write" in typed.refused(f"turnout.scrub.save @{tcp.id} {file}")
    assert not file.exists()
