"""What the client gets of an answer: in the form it asked for, with a word about who gave it."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import pytest

from tests.proxy.support import HEADERS, QUICK, anthropic_table, ask, provider_table, route, text_of
from turnout.testing import events, replies
from turnout.testing.events import Event
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import ScriptedProvider
from turnout.testing.replies import Reply, WholeReply

JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream; charset=utf-8"}

TURN = [
    events.message_start("upstream", input_tokens=7),
    *events.thinking_block(0, ["let me ", "see"], "c2ln"),
    *events.text_block(1, ["Grüße, ", "Welt"]),
    *events.tool_use_block(2, "Bash", {"command": "ls"}),
    events.message_delta("tool_use", output_tokens=9),
    events.message_stop(),
]
MESSAGE = events.folded(TURN, "upstream")


def encoded(*steps: Event) -> bytes:
    return b"".join(step.encode("upstream") for step in steps)


def message(headers: dict[str, str] = JSON, **more: Any) -> Reply:
    """JSON, whatever was asked for."""
    return WholeReply(200, json.dumps({**MESSAGE, **more}, indent=1).encode(), headers)


def stream(*steps: Event, headers: dict[str, str] = SSE) -> Reply:
    """A stream, whatever was asked for."""
    return WholeReply(200, encoded(*(steps or TURN)), headers)


def mine(first: ScriptedProvider, second: ScriptedProvider | None = None, more: str = "") -> str:
    tables = provider_table("first", first, extra=more)
    if second is None:
        return QUICK + tables + route("first")
    return QUICK + tables + provider_table("second", second) + route("first", "second")


def told(answer: httpx.Response) -> dict[str, Any]:
    """The message, in whichever form it came."""
    if answer.headers["content-type"] == "application/json":
        found: dict[str, Any] = answer.json()
        return found
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    data = [json.loads(line) for line in lines]
    return events.folded([Event(item["type"], item) for item in data], "")


PACKED = {"content-encoding": "gzip"}


@pytest.mark.parametrize(
    ("asked", "reply", "is_converted"),
    [
        ("stream", message(), True),
        ("stream", message(SSE), True),
        ("stream", message({}), True),
        ("stream", WholeReply(200, gzip.compress(json.dumps(MESSAGE).encode()), {**JSON, **PACKED}), True),
        ("stream", WholeReply(200, gzip.compress(json.dumps(MESSAGE).encode()), {**SSE, **PACKED}), True),
        ("stream", stream(headers=JSON), False),
        ("stream", stream(headers={}), False),
        ("JSON", stream(), True),
        ("JSON", stream(headers=JSON), True),
        ("JSON", WholeReply(200, gzip.compress(encoded(*TURN)), {**SSE, **PACKED}), True),
        ("JSON", message(SSE), False),
    ],
)
@pytest.mark.parametrize("first_party", [False, True])
async def test_the_answer_comes_in_the_form_that_was_asked_for(
    proxy: StartProxy, client: httpx.AsyncClient, asked: str, reply: Reply, is_converted: bool, first_party: bool
) -> None:
    """decolua/9router#3495, anthropics/claude-code#87842: gateways that know one form. Asking again costs an answer."""
    async with ScriptedProvider(reply, strict="nothing") as upstream:
        more = "first_party = true" if first_party else ""
        running = await proxy(mine(upstream, more=more))
        answer = await ask(client, running.url, {"stream": asked == "stream"})
        (flow,) = await running.finished()
        assert len(upstream.messages) == 1
    assert answer.status_code == 200 and "content-encoding" not in answer.headers
    expected = {**MESSAGE, "model": "upstream" if first_party else "claude-opus-4-6"}
    assert told(answer) == expected
    assert (answer.headers["content-type"] == "application/json") is (asked == "JSON")
    if "transfer-encoding" not in answer.headers:
        assert answer.headers["content-length"] == str(len(answer.content))
    source = "JSON" if asked == "stream" else "a stream"
    assert (f"converted from {source}" in flow.comment) is is_converted
    assert (flow.metadata.get("turnout.answer") == f"converted from {source}") is is_converted
    assert json.loads(flow.metadata["turnout.usage"])["output_tokens"] == 9
    assert running.addon.bridge.dispatcher.knowledge.signatures.minted_by is not None
    assert len(running.addon.bridge.dispatcher.knowledge.signatures) == 1


FAULTS: dict[str, tuple[bool, Reply]] = {
    "an error in the stream": (False, stream(*TURN[:6], events.error("overloaded_error", "busy"))),
    "an error at once": (False, stream(events.error("overloaded_error", "busy"))),
    "an unfinished stream": (False, stream(*TURN[:-2])),
    "half a tool use": (False, WholeReply(200, encoded(*TURN).replace(b'ls\\"}', b"ls"), SSE)),
    "an error in a stream under the name of JSON": (
        True,
        stream(*TURN[:6], events.error("overloaded_error", "busy"), headers=JSON),
    ),
    "an unfinished stream under the name of JSON": (True, stream(*TURN[:-2], headers=JSON)),
    "no events": (False, stream(events.ping())),
    "a list of messages": (True, WholeReply(200, json.dumps(MESSAGE).encode() * 2, {"content-type": "x/x-ndjson"})),
    "JSON of another kind": (True, replies.json(200, {"choices": []})),
    "JSON of another kind as a stream": (True, WholeReply(200, b'{"choices": []}', SSE)),
    "JSON that is cut": (True, WholeReply(200, b'{"content": [', SSE)),
    "an error as JSON": (True, replies.json(200, {"type": "error", "error": {"type": "api_error", "message": "x"}})),
    "an error beside a message": (True, message(base_resp={"status_code": 1002, "status_msg": "slow down"})),
    "an error under the name of a stream": (True, WholeReply(200, b'{"error": {"message": "busy"}}', SSE)),
}


@pytest.mark.parametrize("what", FAULTS)
async def test_what_is_no_answer_in_any_form_moves_on(proxy: StartProxy, client: httpx.AsyncClient, what: str) -> None:
    streams, reply = FAULTS[what]
    async with ScriptedProvider(reply, strict="nothing") as one, ScriptedProvider(strict="nothing") as other:
        running = await proxy(mine(one, other))
        answer = await ask(client, running.url, {"stream": streams})
        _, flow = await running.finished(2)
        assert len(one.messages) == len(other.messages) == 1
    assert answer.status_code == 200 and told(answer)["content"][0]["text"] == "Hello from a scripted provider."
    assert "converted" not in flow.comment
    assert answer.headers["x-turnout-served-by"] == "second/claude-opus-4-6"


@pytest.mark.parametrize(
    ("kind", "said", "status"), [("overloaded_error", "busy", 529), ("invalid_request_error", "no such thing", 400)]
)
async def test_an_error_in_the_stream_is_told_with_its_status(
    proxy: StartProxy, client: httpx.AsyncClient, kind: str, said: str, status: int
) -> None:
    async with ScriptedProvider(stream(*TURN[:6], events.error(kind, said)), strict="nothing") as upstream:
        running = await proxy(mine(upstream))
        answer = await ask(client, running.url, {"stream": False})
    assert answer.status_code == status and answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["type"] == kind and said in answer.json()["error"]["message"]


async def test_a_large_answer_is_converted(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """JSON under the name of a stream is waited for, however long it is."""
    text = "lorem ipsum " * 200_000
    content = [{"type": "text", "text": text}]
    async with ScriptedProvider(
        [message(SSE, content=content), message(content=content)], strict="nothing"
    ) as upstream:
        running = await proxy(mine(upstream))
        answers = [await ask(client, running.url) for _ in range(2)]
    assert [text_of(answer) for answer in answers] == [text, text]


async def test_what_is_too_large_is_none(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    content = [{"type": "text", "text": "lorem ipsum " * 1000}]
    async with ScriptedProvider([message(SSE, content=content), replies.sse()], strict="nothing") as upstream:
        running = await proxy(mine(upstream) + '[limits]\nanswer = "10KB"\n')
        answer = await ask(client, running.url)
    assert answer.status_code == 502 and "does not begin with a Messages event" in answer.text


async def test_a_foreign_message_is_cleaned_on_the_way(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    tool = {"type": "tool_use", "id": "functions.Bash:0", "name": "Bash", "input": {}}
    async with ScriptedProvider(message(content=[tool], provider="x", usage=None), strict="nothing") as upstream:
        running = await proxy(mine(upstream))
        found = told(await ask(client, running.url))
    assert found["content"] == [{**tool, "id": "functions_Bash_0"}] and "provider" not in found
    assert found["usage"]["input_tokens"] == 0


# --- who has answered ---


async def test_every_answer_of_a_provider_names_it(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """The model that was asked of it, whatever the reply calls it."""
    async with ScriptedProvider(strict="nothing") as one:
        running = await proxy(QUICK + provider_table("first", one) + route("first/glm-5.3"))
        for body in ({"stream": True}, {"stream": False}):
            answer = await ask(client, running.url, body)
            assert answer.headers["x-turnout-served-by"] == "first/glm-5.3"
            assert '"model":"claude-opus-4-6"' in answer.text.replace('": "', '":"')


@pytest.mark.parametrize(
    "reply",
    [
        replies.error(400, "invalid_request_error"),
        replies.error(529, "overloaded_error"),
        WholeReply(503, b"<html>", {"content-type": "text/html"}),
    ],
)
async def test_the_last_word_names_whose_error_it_is(
    proxy: StartProxy, client: httpx.AsyncClient, reply: Reply
) -> None:
    async with (
        ScriptedProvider(reply, strict="nothing") as one,
        ScriptedProvider(replies.close_before_headers(), strict="nothing") as other,
    ):
        running = await proxy(mine(one, other))
        answer = await ask(client, running.url)
    assert answer.status_code >= 400 and answer.headers["x-turnout-served-by"] == "first/claude-opus-4-6"


async def test_what_no_provider_answered_names_none(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with ScriptedProvider(replies.close_before_headers(), strict="nothing") as one:
        running = await proxy(mine(one))
        answer = await ask(client, running.url)
    assert answer.status_code == 502 and "x-turnout-served-by" not in answer.headers


async def test_a_name_stands_in_one_header(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """A model's name is the client's, and may hold anything; a provider's own word about who served it stays."""
    model = "m\r\nx-evil: 1 é sk-ant-api03-0123456789abcdefghijklmnop"
    own = replies.sse(headers={"x-turnout-served-by": "anthropic/claude"})
    async with ScriptedProvider(own, strict="nothing") as one:
        running = await proxy(mine(one))
        answer = await ask(client, running.url, {"model": model})
    assert answer.headers.get_list("x-turnout-served-by") == ["first/m??x-evil:?1???***", "anthropic/claude"]
    assert "x-evil" not in answer.headers


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("setting", "model"), [("asked", "claude-opus-4-6"), ("served", "glm-5.3")])
async def test_the_model_in_replies(
    proxy: StartProxy, client: httpx.AsyncClient, setting: str, model: str, stream: bool
) -> None:
    async with ScriptedProvider(strict="nothing") as one:
        tables = provider_table("first", one) + route("first/glm-5.3")
        running = await proxy(f'reply_model = "{setting}"\n{tables}')
        answer = await ask(client, running.url, {"stream": stream})
    assert told(answer)["model"] == model


async def test_a_first_party_is_not_touched_where_the_served_model_is_told(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    async with ScriptedProvider(stream(headers=SSE)) as upstream:
        running = await proxy(f'reply_model = "served"\n{anthropic_table(upstream)}' + route("anthropic/claude-x"))
        answer = await ask(client, running.url)
        assert upstream.messages[0].model == "claude-x"
    assert answer.content == encoded(*TURN)


# --- auto mode ---

ASKED = {"safeguards": [{"type": "dangerous_tool_use", "classifier_context": {"cwd": "/home"}}]}
NONE = [{"type": "dangerous_tool_use", "status": {"type": "available", "tool_uses": {}}}]
OWN = [{"type": "dangerous_tool_use", "status": {"type": "available", "tool_uses": {"t": {"outcome": "flagged"}}}}]
DROPPED = 'rewrite.drop = ["safeguards"]'


def results(answer: httpx.Response) -> list[Any]:
    """The `safeguard_results` of an answer, wherever they stand."""
    if answer.headers["content-type"] == "application/json":
        return [answer.json()["safeguard_results"]] if "safeguard_results" in answer.json() else []
    data = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert not any("safeguard_results" in item.get("message", {}) for item in data)
    return [item["delta"]["safeguard_results"] for item in data if "safeguard_results" in item.get("delta", {})]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("body", "more", "found"),
    [
        (ASKED, DROPPED, [NONE]),
        (ASKED, "", []),  # it was asked: what it says, or not, is its own
        (ASKED, f"{DROPPED}\nfirst_party = true", []),
        ({}, DROPPED, []),
        ({"safeguards": [{"type": "something_new"}]}, DROPPED, []),
        ({"safeguards": "odd"}, DROPPED, []),
    ],
)
async def test_where_nobody_was_asked_for_a_verdict_none_is_given(
    proxy: StartProxy, client: httpx.AsyncClient, body: dict[str, Any], more: str, found: list[Any], stream: bool
) -> None:
    async with ScriptedProvider(strict="nothing") as upstream:
        running = await proxy(mine(upstream, more=more))
        answer = await ask(client, running.url, {**body, "stream": stream})
    assert answer.status_code == 200 and results(answer) == found


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("more", [DROPPED, ""])
async def test_results_of_the_provider_itself_are_passed_on(
    proxy: StartProxy, client: httpx.AsyncClient, asked: bool, more: str
) -> None:
    """Also where the answer is converted, either way."""
    delta = events.event("message_delta", delta={"stop_reason": "end_turn", "safeguard_results": OWN}, usage={})
    script = [stream(*TURN[:-2], delta, TURN[-1]), message(safeguard_results=OWN)]
    async with ScriptedProvider(script, strict="nothing") as upstream:
        running = await proxy(mine(upstream, more=more))
        answers = [await ask(client, running.url, {**ASKED, "stream": asked}) for _ in range(2)]
    assert [results(answer) for answer in answers] == [[OWN], [OWN]]


async def test_counting_is_not_converted(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with ScriptedProvider(strict="nothing") as upstream:
        running = await proxy(mine(upstream, more='count_tokens = "provider"'))
        body = {"model": "claude-opus-4-6", "messages": [{"role": "user", "content": "hi"}], **ASKED}
        answer = await client.post(f"{running.url}/v1/messages/count_tokens", json=body, headers=HEADERS)
    assert answer.json().keys() == {"input_tokens"}
    assert answer.headers["x-turnout-served-by"] == "first/claude-opus-4-6"
