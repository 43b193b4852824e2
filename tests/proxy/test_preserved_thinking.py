"""Conversations with the models that bind their thinking, moved and changed on the way: Anthropic never refuses one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.proxy.support import HEADERS, QUICK, anthropic_table, route
from turnout.journey.knowledge import Knowledge
from turnout.testing.binding import BETA, BoundMint
from turnout.testing.events import (
    message_delta,
    message_start,
    message_stop,
    text_block,
    thinking_block,
    tool_use_block,
)
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import API_KEY, ScriptedProvider
from turnout.testing.proxy import RunningProxy
from turnout.testing.replies import Reply, error, sse
from turnout.testing.replies import json as json_reply
from turnout.testing.wire import RecordedRequest

MODEL = "claude-opus-5-5"
MINT = BoundMint("anthropic")
FIRST, SECOND = API_KEY, "sk-ant-api03-another-account"


class Thinker:
    """Answers with a thought, bound to the request, and a tool call; `fails` while it is set."""

    def __init__(self, mint: BoundMint | None = MINT) -> None:
        self.mint = mint
        self.fails: Reply | None = None
        self.number = 0

    def __call__(self, request: RecordedRequest) -> Reply:
        if self.fails is not None:
            return self.fails
        self.number += 1
        thought = f"thought {self.number}"
        signature = self.mint.seal(request, thought) if self.mint else ""
        call = f"toolu_{id(self)}_{self.number}"
        blocks = [*thinking_block(0, [thought], signature), *tool_use_block(1, "Bash", {}, id=call)]
        return sse([message_start(), *blocks, message_delta("tool_use"), message_stop()])


class Talk:
    """A client: every answer of the assistant goes back as it came, with the result of its call."""

    def __init__(self, client: httpx.AsyncClient, running: RunningProxy, **fields: Any) -> None:
        self._client, self._url = client, f"{running.url}/v1/messages"
        self.messages: list[dict[str, Any]] = [{"role": "user", "content": "hello"}]
        self._fields = {"model": MODEL, "max_tokens": 64000, "system": "be brief", "thinking": {"type": "adaptive"}}
        self._fields |= {"tools": [{"name": "Bash", "input_schema": {"type": "object"}}], **fields}

    @property
    def body(self) -> bytes:
        return json.dumps({**self._fields, "messages": self.messages}).encode()

    async def turn(self) -> bytes:
        """One request; what was sent."""
        sent = self.body
        answer = await self._client.post(self._url, content=sent, headers=HEADERS)
        assert answer.status_code == 200, answer.text
        content = answer.json()["content"]
        results = [
            {"type": "tool_result", "tool_use_id": block["id"], "content": "done"}
            for block in content
            if block["type"] == "tool_use"
        ]
        self.messages += [{"role": "assistant", "content": content}, {"role": "user", "content": results}]
        return sent


def thoughts(request: RecordedRequest) -> list[str]:
    """The thinking that came back in a request."""
    contents = [message["content"] for message in request.json["messages"] if message["role"] == "assistant"]
    return [block["thinking"] for content in contents for block in content if block["type"] == "thinking"]


def forget(running: RunningProxy) -> None:
    """As after a restart without `store.signatures`."""
    dispatcher = running.addon.bridge.dispatcher
    dispatcher.knowledge = Knowledge()
    dispatcher.knowledge.configure(running.addon.bridge.settings.providers)


OTHER = '[providers.other]\nbase_url = "{}"\nauth = "none"\ncooldown = "1ms"\n'
ACCOUNTS = 'credentials = ["env:ONE", "env:TWO"]\ncooldown = "1ms"\n'


@pytest.fixture(autouse=True)
def accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", FIRST)
    monkeypatch.setenv("TWO", SECOND)


async def test_nothing_moved_and_nothing_changed(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """Also with another provider configured, and after a restart: byte for byte."""
    async with ScriptedProvider(Thinker(), mint=MINT) as anthropic, ScriptedProvider(strict="nothing") as other:
        running = await proxy(anthropic_table(anthropic) + OTHER.format(other.url))
        talk = Talk(client, running)
        sent = [await talk.turn(), await talk.turn()]
        forget(running)
        sent += [await talk.turn(), await talk.turn()]
        assert [request.body for request in anthropic.messages] == sent
        assert not anthropic.refusals


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
async def test_to_another_provider_in_mid_turn_and_back(
    proxy: StartProxy, client: httpx.AsyncClient, signed: bool
) -> None:
    own, foreign = Thinker(), Thinker(BoundMint("other") if signed else None)
    async with ScriptedProvider(own, mint=MINT) as anthropic, ScriptedProvider(foreign, strict="nothing") as other:
        tables = anthropic_table(anthropic) + 'cooldown = "1ms"\n' + OTHER.format(other.url)
        talk = Talk(client, await proxy(QUICK + tables + route("anthropic", "other/glm-5")))
        await talk.turn()
        own.fails = error(529, "overloaded_error")
        await talk.turn()
        own.fails = None
        for _ in range(3):
            await talk.turn()
        assert not anthropic.refusals and len(other.messages) == 1
        assert thoughts(anthropic.messages[-1]) == ["thought 1", "thought 2", "thought 3"]
        assert thoughts(other.messages[0]) == []


async def test_from_one_account_to_another_and_back(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """Each gets what it has made itself."""
    thinker = Thinker()

    def reply(request: RecordedRequest) -> Reply:
        tired = len(talk.messages) == 3 and request.lower["x-api-key"] == FIRST
        return error(429, "rate_limit_error") if tired else thinker(request)

    async with ScriptedProvider(reply, accepts=[FIRST, SECOND], mint=MINT) as anthropic:
        talk = Talk(client, await proxy(QUICK + anthropic_table(anthropic) + ACCOUNTS))
        for _ in range(4):
            await talk.turn()
        assert not anthropic.refusals
        served = [(request.lower["x-api-key"], thoughts(request)) for request in anthropic.messages]
    assert served[2] == (SECOND, [])
    assert served[-1] == (FIRST, ["thought 1", "thought 3"])


async def test_a_rule_edited_in_mid_conversation(proxy: StartProxy, client: httpx.AsyncClient, tmp_path: Path) -> None:
    """What was thought before goes; what is thought from now on stays."""
    async with ScriptedProvider(Thinker(), mint=MINT) as anthropic:
        running = await proxy(anthropic_table(anthropic))
        talk = Talk(client, running)
        await talk.turn()
        await talk.turn()
        edited = anthropic_table(anthropic) + 'rewrite.prepend_system = "Be kind."\n'
        (tmp_path / "mitm.conf").write_text(edited)
        running.addon.setup.look()
        for _ in range(3):
            await talk.turn()
        assert not anthropic.refusals
        assert thoughts(anthropic.messages[-1]) == ["thought 3", "thought 4"]
        (tmp_path / "mitm.conf").write_text(edited + "rewrite.max_tokens = 32000\n")
        running.addon.setup.look()
        await talk.turn()
        assert thoughts(anthropic.messages[-1]) == ["thought 3", "thought 4", "thought 5"], "no word of it was changed"


async def test_after_a_restart_what_rules_have_changed_is_given_up_and_not_refused(
    proxy: StartProxy, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """Nobody remembers by which rules a block was made: the server is asked to drop what does not fit."""
    async with ScriptedProvider(Thinker(), mint=MINT) as anthropic:
        running = await proxy(anthropic_table(anthropic))
        talk = Talk(client, running)
        await talk.turn()
        (tmp_path / "mitm.conf").write_text(anthropic_table(anthropic) + 'rewrite.prepend_system = "Be kind."\n')
        running.addon.setup.look()
        forget(running)
        await talk.turn()
        assert not anthropic.refusals
        last = anthropic.messages[-1]
    assert last.json["thinking"]["block_binding"] == {"prefix_mismatch_behavior": "drop_block"} and BETA in last.betas
    assert MINT.transformations(last)[0]["reason"] == "prefix_binding_mismatch"


async def test_a_refused_block_goes_once_and_for_all(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """The other provider has answered before Turnout was started again: only the refusal tells whose the block is."""
    own, foreign = Thinker(), Thinker(BoundMint("other"))
    async with ScriptedProvider(own, mint=MINT) as anthropic, ScriptedProvider(foreign, strict="nothing") as other:
        running = await proxy(anthropic_table(anthropic) + OTHER.format(other.url) + route("other", model="glm"))
        talk = Talk(client, running, model="glm")
        await talk.turn()
        talk._fields["model"] = MODEL
        forget(running)
        await talk.turn()
        await talk.turn()
        assert len(anthropic.refusals) == 1
        assert [thoughts(request) for request in anthropic.messages] == [["thought 1"], [], ["thought 1"]]
        flow = (await running.finished(4))[-2]
    assert "refuses a thinking signature" in flow.comment


BOUND = (
    "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation."
    ' Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to "drop_block".'
)


@pytest.mark.parametrize("message", [BOUND, "messages.1.content.0: Invalid `signature` in `thinking` block"])
@pytest.mark.parametrize("stream", [True, False])
async def test_its_own_thinking_is_refused(
    proxy: StartProxy, client: httpx.AsyncClient, message: str, stream: bool
) -> None:
    """A conversation that a client has changed: sent again without what was thought, once."""
    own = Thinker()

    def reply(request: RecordedRequest) -> Reply:
        return error(400, "invalid_request_error", message) if thoughts(request) else own(request)

    async with ScriptedProvider(reply) as anthropic:
        talk = Talk(client, await proxy(anthropic_table(anthropic)))
        await talk.turn()
        body = {**json.loads(talk.body), "stream": stream}
        for _ in range(2):
            answer = await client.post(talk._url, json=body, headers=HEADERS)
            assert answer.status_code == 200
        assert [bool(thoughts(request)) for request in anthropic.messages] == [False, True, False, False]


async def test_what_anthropic_refuses_again_is_the_clients(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with ScriptedProvider(error(400, "invalid_request_error", BOUND)) as anthropic:
        running = await proxy(anthropic_table(anthropic))
        talk = Talk(client, running)
        answer = await client.post(talk._url, content=talk.body, headers=HEADERS)
        assert answer.status_code == 400 and answer.json()["error"]["message"] == BOUND
        assert len(anthropic.messages) == 2


async def test_a_turn_that_another_provider_began_goes_on_without_thinking(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    """With a budget, Anthropic asks for the thought that the other provider never had."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"}
    messages = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    mint = BoundMint("anthropic", thinks_first=True)
    thinks = {"model": "claude-haiku-4-5", "thinking": {"type": "enabled", "budget_tokens": 2000}}

    def reply(request: RecordedRequest) -> Reply:
        if request.json["thinking"]["type"] == "disabled":
            return sse([message_start(), *text_block(0, ["done"]), message_delta(), message_stop()])
        return error(400, "invalid_request_error", "messages.1.content.0.type: Expected `thinking` or"
                     " `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, …")  # fmt: skip

    async with ScriptedProvider(reply, mint=mint) as anthropic:
        talk = Talk(client, await proxy(anthropic_table(anthropic)), **thinks)
        talk.messages += messages
        await talk.turn()
        assert [request.json["thinking"]["type"] for request in anthropic.messages] == ["enabled", "disabled"]


async def test_a_lesson_learned_in_mid_conversation(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """By a gateway that passes all of it on to Anthropic."""
    thinker, wrong = Thinker(BoundMint("gateway")), "messages.2.content.1: unknown variant `document`, expected `text`"

    def reply(request: RecordedRequest) -> Reply:
        taught = b'"document"' in request.body
        return json_reply(400, {"error": {"message": wrong}}) if taught else thinker(request)

    async with ScriptedProvider(reply, strict="nothing", mint=thinker.mint) as gateway:
        table = f'[providers.gateway]\nbase_url = "{gateway.url}"\nauth = "none"\nrewrite.profile = "claude"\n'
        talk = Talk(client, await proxy(table + route("gateway")))
        await talk.turn()
        document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}}
        talk.messages[-1]["content"].append(document)
        for _ in range(3):
            await talk.turn()
        assert len(gateway.messages) == 5 and not gateway.refusals
        assert thoughts(gateway.messages[-1]) == ["thought 2", "thought 3"]
