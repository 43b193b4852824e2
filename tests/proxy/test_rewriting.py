"""Rewriting, learning and what comes back, through the running proxy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.proxy.support import BODY, HEADERS, QUICK, anthropic_table, ask, route, text_of
from turnout.testing.events import (
    folded,
    message_delta,
    message_start,
    message_stop,
    text_block,
    thinking_block,
    tool_turn,
)
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import API_KEY, ScriptedProvider
from turnout.testing.replies import Reply, error, sse
from turnout.testing.replies import json as json_reply
from turnout.testing.wire import RecordedRequest

UNREWRITTEN = 'rewrite.profile = "none"'


def own(name: str, provider: ScriptedProvider, extra: str = "") -> str:
    """A provider of the user's own, with nothing said about rewriting."""
    return f'[providers.{name}]\nbase_url = "{provider.url}"\nauth = "none"\n{extra}\n'


def refusing(*names: str) -> Callable[[RecordedRequest], Reply]:
    """Refuses top-level fields one at a time, as strict servers do, then answers."""

    def reply(request: RecordedRequest) -> Reply:
        found = next((name for name in names if name in request.json), None)
        return error(400, "invalid_request_error", f"{found}: Extra inputs are not permitted") if found else sse()

    return reply


async def health(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"{url}/health")).json()
    return found


async def test_what_a_400_names_is_left_out_and_remembered(
    proxy: StartProxy, client: httpx.AsyncClient, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd = {"metadata": {"user_id": "u"}, "service_tier": "auto"}
    async with ScriptedProvider(refusing("metadata", "service_tier"), strict="nothing") as upstream:
        running = await proxy(own("mine", upstream, UNREWRITTEN) + route("mine"))
        first = await ask(client, running.url, odd)
        second = await ask(client, running.url, odd)
        flows = (await running.finished(4))[:4]
        await running.addon.bridge.dispatcher.knowledge.written()
        told = (await health(client, running.url))["providers"]["mine"]["learned"]
        sent = [set(request.json) & set(odd) for request in upstream.messages]
    assert (first.status_code, second.status_code) == (200, 200)
    assert sent == [{"metadata", "service_tier"}, {"service_tier"}, set(), set()]
    assert [entry["suggestion"] for entry in told] == [
        'rewrite.drop = ["metadata"]', 'rewrite.drop = ["service_tier"]',
    ]  # fmt: skip
    assert all(0 < entry["expires"] <= 24 * 3600 for entry in told)
    failed, again, served, direct = (flow.comment for flow in flows)
    assert failed == "attempt 1/1 · mine · 400 refuses metadata"
    assert "400 refuses service_tier" in again
    assert "mine 400 refuses metadata → mine 400 refuses service_tier → mine 200 · 3 tries" in served
    assert 'learned: rewrite.drop = ["metadata"]' in served
    assert direct.startswith("claude-opus-4-6 → mine 200") and "rewritten: drop metadata" in direct
    assert '[providers.mine] rewrite.drop = ["metadata"]' in caplog.text
    kept = json.loads((home / ".state" / "turnout" / "learned.json").read_text())
    assert [entry["value"] for entry in kept["lessons"]] == ["metadata", "service_tier"]


async def test_what_was_learned_in_the_last_moment_is_kept(
    proxy: StartProxy, client: httpx.AsyncClient, home: Path
) -> None:
    async with ScriptedProvider(refusing("metadata"), strict="nothing") as upstream:
        running = await proxy(own("mine", upstream, UNREWRITTEN) + route("mine"))
        kept_in = running.addon.bridge.dispatcher.knowledge._lessons_file
        kept_in.write_soon = lambda: None  # the thread does not come to it any more
        await ask(client, running.url, {"metadata": {}})
        running.addon.bridge.abandon_all()
        kept = json.loads((home / ".state" / "turnout" / "learned.json").read_text())
    assert [entry["value"] for entry in kept["lessons"]] == ["metadata"]


async def test_lessons_of_an_earlier_run_are_in_force(
    proxy: StartProxy, client: httpx.AsyncClient, home: Path
) -> None:
    place = {"provider": "mine", "endpoint": "messages", "model": "claude-opus-4-6"}
    file = home / ".state" / "turnout" / "learned.json"
    file.parent.mkdir(parents=True)
    lesson = {**place, "rule": "drop", "value": "metadata", "until": 4102444800.0}
    file.write_text(json.dumps({"version": 1, "lessons": [lesson]}))
    async with ScriptedProvider(refusing("metadata"), strict="nothing") as upstream:
        running = await proxy(own("mine", upstream, UNREWRITTEN) + route("mine"))
        answer = await ask(client, running.url, {"metadata": {}})
        assert len(upstream.messages) == 1
    assert answer.status_code == 200


async def test_a_refusal_that_was_learned_in_vain_goes_to_the_client(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    message = "metadata: Extra inputs are not permitted"
    async with ScriptedProvider(error(400, "invalid_request_error", message), strict="nothing") as upstream:
        running = await proxy(own("mine", upstream, UNREWRITTEN) + route("mine"))
        answer = await ask(client, running.url, {"metadata": {}})
        state = await health(client, running.url)
        assert len(upstream.messages) == 2
        comments = [flow.comment for flow in await running.finished(4)]
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == message
    assert state["providers"]["mine"]["learned"] == [], "what did not help is forgotten"
    assert any(comment.endswith(f"gave up with 400: {message}") for comment in comments)


async def test_requests_that_were_under_way_together_are_all_corrected(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    gate = asyncio.Event()
    body = {"type": "error", "error": {"type": "x", "message": "metadata: Extra inputs are not permitted"}}
    refusal = json_reply(400, body, gate=gate)

    def reply(request: RecordedRequest) -> Reply:
        return refusal if "metadata" in request.json else sse()

    async with ScriptedProvider(reply, strict="nothing") as upstream:
        running = await proxy(own("mine", upstream, UNREWRITTEN) + route("mine"))
        asking = [asyncio.ensure_future(ask(client, running.url, {"metadata": {}})) for _ in range(3)]
        await upstream.arrived(3)
        gate.set()
        answers = await asyncio.gather(*asking)
    assert [answer.status_code for answer in answers] == [200, 200, 200]


@pytest.mark.parametrize(("extra", "attempts", "status"), [("", 1, 400), ("rewrite.learn = true", 2, 200)])
async def test_nothing_is_learned_from_anthropic_unless_asked_for(
    proxy: StartProxy, client: httpx.AsyncClient, extra: str, attempts: int, status: int
) -> None:
    async with ScriptedProvider(refusing("metadata")) as upstream:
        running = await proxy(anthropic_table(upstream) + extra)
        answer = await ask(client, running.url, {"metadata": {"user_id": "u"}})
        assert len(upstream.messages) == attempts
        assert upstream.messages[0].json["metadata"] == {"user_id": "u"}
    assert answer.status_code == status


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "bWluZQ=="}
HISTORY = [
    {"role": "user", "content": "hello"},
    {"role": "assistant", "content": [THOUGHT, {"type": "text", "text": "hi"}]},
    {"role": "user", "content": "go on"},
]


async def test_a_refused_signature_is_taken_out_once(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    def reply(request: RecordedRequest) -> Reply:
        if b'"thinking"' not in request.body:
            return sse()
        return error(400, "invalid_request_error", "messages.1.content.0: Invalid `signature` in `thinking` block")

    async with ScriptedProvider(reply, strict="nothing") as upstream:
        running = await proxy(own("mine", upstream, UNREWRITTEN) + route("mine"))
        answer = await ask(client, running.url, {"messages": HISTORY})
        assert [len(request.json["messages"][1]["content"]) for request in upstream.messages] == [2, 1]
    assert answer.status_code == 200


def thinking(signature: str, text: str) -> Reply:
    """An answer that thinks first, with a signature of its own."""
    blocks = [*thinking_block(0, ["hm"], signature), *text_block(1, [text])]
    return sse([message_start(), *blocks, message_delta(), message_stop()])


async def test_thinking_goes_back_only_to_who_signed_it(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """A conversation moves from Anthropic to another provider and back: each sees its own blocks alone."""
    ours, theirs = "b3Vycw==", "dGhlaXJz"
    anthropic = ScriptedProvider([thinking(ours, "A"), error(529, "overloaded_error"), sse()])
    foreign = ScriptedProvider(thinking(theirs, "B"), strict="nothing")
    async with anthropic, foreign:
        brief = 'cooldown = "1ms"\n'
        tables = anthropic_table(anthropic) + brief + own("foreign", foreign, brief)
        running = await proxy(QUICK + tables + route("anthropic", "foreign"))
        messages: list[Any] = [{"role": "user", "content": "1"}]
        for signature, text in ((ours, "A"), (theirs, "B")):
            assert text_of(await ask(client, running.url, {"messages": messages})) == text
            said = [{"type": "thinking", "thinking": "hm", "signature": signature}, {"type": "text", "text": text}]
            messages += [{"role": "assistant", "content": said}, {"role": "user", "content": "go on"}]
        assert (await ask(client, running.url, {"messages": messages})).status_code == 200
        (flow,) = [flow for flow in await running.finished(4) if "signatures" in flow.metadata["turnout.body"]][-1:]
    assert ours.encode() not in foreign.messages[0].body
    assert ours.encode() in anthropic.messages[-1].body
    assert theirs.encode() not in anthropic.messages[-1].body
    assert flow.metadata["turnout.body"] == "rewritten: signatures"


TOO_LONG = "Your request exceeded model token limit : 200000"


@pytest.mark.parametrize(
    ("lengths", "status", "served"),
    [
        ("", 400, False),
        ('context_lengths = { "*" = 200_000 }', 400, False),
        ('context_lengths = { "claude-*" = 1_000_000 }', 200, True),
    ],
)
async def test_a_request_that_is_too_long_moves_on_only_to_a_larger_window(
    proxy: StartProxy, client: httpx.AsyncClient, lengths: str, status: int, served: bool
) -> None:
    refusal = json_reply(400, {"error": {"type": "invalid_request_error", "message": TOO_LONG}})
    async with ScriptedProvider(refusal, strict="nothing") as first, ScriptedProvider(strict="nothing") as second:
        running = await proxy(own("first", first) + own("second", second, lengths) + route("first", "second"))
        answer = await ask(client, running.url)
        state = await health(client, running.url)
        assert bool(second.messages) == served
    assert answer.status_code == status
    assert not state["providers"]["first"]["cooldowns"]
    if not served:
        told = answer.json()
        assert told["type"] == "error"
        assert told["error"]["type"] == "invalid_request_error"
        assert told["error"]["message"] == f"prompt is too long: {TOO_LONG}"


WINDOW = 32_768


def small_window(request: RecordedRequest) -> Reply:
    """Refuses as vLLM does when prompt and answer together do not fit."""
    output = request.json["max_tokens"]
    if 20_000 + output <= WINDOW:
        return sse()
    text = f"""'max_tokens' or 'max_completion_tokens' is too large: {output}. This model's maximum context length is
 {WINDOW} tokens and your request has 20000 input tokens ({output} > {WINDOW} - 20000)."""
    return json_reply(400, {"error": {"message": text.replace("\n", ""), "type": "BadRequestError", "code": 400}})


async def test_a_prompt_that_fits_is_not_called_too_long(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """The window decides how much output can be asked for; from then on half of it is the most."""
    async with ScriptedProvider(small_window, strict="nothing") as upstream:
        running = await proxy(own("mine", upstream) + route("mine"))
        first = await ask(client, running.url, {"max_tokens": 64_000})
        second = await ask(client, running.url, {"max_tokens": 64_000})
        state = await health(client, running.url)
        asked = [request.json["max_tokens"] for request in upstream.messages]
    assert (first.status_code, second.status_code) == (200, 200)
    assert asked == [64_000, WINDOW - 20_000 - 64, WINDOW // 2, WINDOW - 20_000 - 64]
    (lesson,) = state["providers"]["mine"]["learned"]
    assert lesson["suggestion"] == f'rewrite.models."claude-opus-4-6".max_tokens = {WINDOW // 2}'


async def test_a_window_that_tells_no_size_of_the_prompt_is_asked_for_half_the_output(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    def reply(request: RecordedRequest) -> Reply:
        output, limit = request.json["max_tokens"], 131_072
        if output <= 33_000:
            return sse()
        text = f"You passed {limit - output + 1} input tokens and requested {output} output tokens. However, the"
        return json_reply(400, {"error": {"message": f"{text} model's context length is only {limit} tokens"}})

    async with ScriptedProvider(reply, strict="nothing") as upstream:
        running = await proxy(own("mine", upstream) + route("mine"))
        answer = await ask(client, running.url, {"max_tokens": 64_000})
        assert [request.json["max_tokens"] for request in upstream.messages] == [64_000, 32_000]
    assert answer.status_code == 200


async def test_anthropics_own_overflow_is_the_clients(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    refusal = error(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")
    async with ScriptedProvider(refusal) as first, ScriptedProvider(strict="nothing") as second:
        lengths = 'context_lengths = { "*" = 1_000_000 }'
        running = await proxy(anthropic_table(first) + own("second", second, lengths) + route("anthropic", "second"))
        direct = await client.post(f"{first.url}/v1/messages", json=BODY, headers=HEADERS)
        answer = await ask(client, running.url)
    assert answer.content == direct.content
    assert not second.messages


SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}


async def test_a_server_tool_goes_to_a_target_that_has_it_and_the_session_stays(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    async with ScriptedProvider() as anthropic, ScriptedProvider(strict="nothing") as foreign:
        running = await proxy(own("foreign", foreign) + anthropic_table(anthropic) + route("foreign", "anthropic"))
        session = {"x_claude_code_session_id": "s"}
        await ask(client, running.url, **session)
        await ask(client, running.url, {"tools": [SEARCH]}, **session)
        await ask(client, running.url, **session)
    assert [request.json.get("tools") for request in anthropic.messages] == [[SEARCH]]
    assert len(foreign.messages) == 2


BASH = {"name": "Bash", "input_schema": {"type": "object"}}


async def test_a_server_tool_that_no_target_has_is_left_out_beside_others(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    async with ScriptedProvider(strict="nothing") as foreign:
        running = await proxy(own("foreign", foreign) + route("foreign"))
        answer = await ask(client, running.url, {"tools": [SEARCH, BASH]})
        assert foreign.messages[0].json["tools"] == [BASH]
    assert answer.status_code == 200


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "body", [{"tools": [SEARCH]}, {"tools": [SEARCH, BASH], "tool_choice": {"type": "tool", "name": "web_search"}}]
)
async def test_a_search_that_nobody_can_make_is_refused_and_not_made_up(
    proxy: StartProxy, client: httpx.AsyncClient, body: dict[str, Any], stream: bool
) -> None:
    """Claude Code's WebSearch tells its model of a 400, and goes on."""
    async with ScriptedProvider(strict="nothing") as one, ScriptedProvider(strict="nothing") as other:
        running = await proxy(own("one", one) + own("other", other) + route("one", "other"))
        answer = await ask(client, running.url, {**body, "stream": stream})
        assert not one.requests and not other.requests
        (flow,) = await running.finished()
    assert answer.status_code == 400 and answer.headers["x-should-retry"] == "false"
    assert answer.json()["error"]["message"] == (
        "No web_search here: one, other cannot run it. In mitm.conf, a route with "
        'when = { tools = ["web_search*"] } sends such requests to a provider that can.'
    )
    assert flow.comment.startswith("refused: No web_search here: ")


async def test_a_search_stays_with_who_can_make_it_when_that_fails(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    async with ScriptedProvider(error(529, "overloaded_error")) as anthropic, ScriptedProvider() as foreign:
        tables = own("foreign", foreign) + anthropic_table(anthropic)
        running = await proxy(QUICK + tables + route("foreign", "anthropic"))
        answer = await ask(client, running.url, {"tools": [SEARCH]})
        assert not foreign.requests
        *_, flow = await running.finished(2)
    assert answer.status_code == 529
    assert "foreign without web_search" in flow.comment


async def test_a_search_that_is_refused_is_not_sent_again_without_it(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    """What was learned of the one keeps later searches away from it, too."""
    refusal = error(400, "invalid_request_error", "unknown variant `web_search_20250305`, expected `function`")
    async with ScriptedProvider(refusal, strict="nothing") as one, ScriptedProvider(strict="nothing") as other:
        tables = own("one", one, UNREWRITTEN) + own("other", other, UNREWRITTEN)
        running = await proxy(QUICK + tables + route("one", "other"))
        answers = [await ask(client, running.url, {"tools": [SEARCH]}) for _ in range(2)]
        sent = [request.json["tools"] for request in other.messages]
        assert len(one.messages) == 1
    assert [answer.status_code for answer in answers] == [200, 200] and sent == [[SEARCH], [SEARCH]]


async def count(client: httpx.AsyncClient, url: str, **body: Any) -> httpx.Response:
    fields = {"model": "claude-opus-4-6", "messages": BODY["messages"], **body}
    return await client.post(f"{url}/v1/messages/count_tokens", json=fields, headers=HEADERS)


async def test_who_counts_tokens(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """A9: the provider, Anthropic, Turnout by estimate, or nobody."""
    async with ScriptedProvider() as anthropic, ScriptedProvider(strict="nothing") as foreign:
        tables = [own(how, foreign, f'count_tokens = "{how}"') for how in ("provider", "estimate", "none")]
        # A name of its own: "anthropic" is the preset.
        tables.append(own("asks", foreign, 'count_tokens = "anthropic"'))
        routes = [route(name, model=f"*-{name}") for name in ("provider", "estimate", "none", "asks")]
        running = await proxy("".join([*tables, anthropic_table(anthropic), *routes]))
        found = {name: await count(client, running.url, model=f"glm-{name}") for name in ("provider", "asks")}
        estimate = await count(client, running.url, model="glm-estimate")
        none = await count(client, running.url, model="glm-none")
        (asked,) = anthropic.requests
    assert found["provider"].status_code == found["asks"].status_code == 200
    assert asked.target == "/v1/messages/count_tokens"
    assert asked.model == "claude-sonnet-5-5"
    assert asked.lower["x-api-key"] == API_KEY
    assert 0 < estimate.json()["input_tokens"] < 50
    assert estimate.headers["x-turnout-estimate"] == "o200k_base"
    assert none.status_code == 501
    assert none.json()["error"]["type"] == "not_supported"
    assert none.headers["x-should-retry"] == "false"
    assert len(foreign.requests) == 1


async def test_without_a_credential_for_anthropic_nobody_counts(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with ScriptedProvider() as anthropic, ScriptedProvider(strict="nothing") as foreign:
        tables = own("asks", foreign, 'count_tokens = "anthropic"') + anthropic_table(anthropic)
        running = await proxy(tables + route("asks"))
        body = {"model": "m", "messages": BODY["messages"]}
        answer = await client.post(f"{running.url}/v1/messages/count_tokens", json=body)
    assert answer.status_code == 501
    assert "no credential was found for anthropic" in answer.json()["error"]["message"]
    assert not anthropic.requests


@pytest.mark.parametrize(
    ("name", "sent", "beta", "thinking_type"),
    [
        ("claude-sonnet-4-5-1m", "claude-sonnet-4-5", "context-1m-2025-08-07", None),
        ("claude-sonnet-4-5[1m]", "claude-sonnet-4-5", "context-1m-2025-08-07", None),
        ("opus-1m", "claude-opus-5-5", "context-1m-2025-08-07", None),
        ("claude-sonnet-4-5-reasoning-low", "claude-sonnet-4-5", "interleaved-thinking-2025-05-14", "enabled"),
        ("opus-reasoning-high", "claude-opus-5-5", "interleaved-thinking-2025-05-14", "adaptive"),
    ],
)
async def test_suffixes(
    proxy: StartProxy, client: httpx.AsyncClient, name: str, sent: str, beta: str, thinking_type: str | None
) -> None:
    """A5, E5, E9: betas are appended to those of the client."""
    async with ScriptedProvider() as upstream:
        running = await proxy(anthropic_table(upstream))
        answer = await ask(client, running.url, {"model": name, "stream": False}, anthropic_beta="effort-2025-11-24")
        (request,) = upstream.messages
    assert answer.status_code == 200
    assert request.model == sent
    assert request.betas[:2] == ["effort-2025-11-24", beta]
    assert request.json.get("thinking", {}).get("type") == thinking_type
    assert not upstream.refusals


async def test_breakpoints_on_request(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """E6."""
    async with ScriptedProvider() as upstream:
        running = await proxy(anthropic_table(upstream) + "rewrite.auto_cache = true")
        await ask(client, running.url, {"system": "be brief"})
        (request,) = upstream.messages
        (flow,) = await running.finished()
    mark = {"cache_control": {"type": "ephemeral"}}
    assert request.json["system"] == [{"type": "text", "text": "be brief", **mark}]
    assert request.json["messages"][0]["content"] == [{"type": "text", "text": "hello", **mark}]
    assert flow.metadata["turnout.body"] == "rewritten: auto_cache"


async def test_replies_of_other_providers_are_made_anthropics(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """A10: the name asked for, no foreign fields, complete usage."""
    message = {
        "id": "1", "type": "message", "role": "assistant", "model": "GLM", "content": [{"type": "text", "text": "x"}],
        "stop_reason": "end_turn", "usage": {"input_tokens": 3, "output_tokens": 1},
        "base_resp": {"status_code": 0, "status_msg": ""},
    }  # fmt: skip
    async with ScriptedProvider(json_reply(200, message), strict="nothing") as upstream:
        running = await proxy(own("mine", upstream) + route("mine/GLM"))
        answer = (await ask(client, running.url, {"stream": False})).json()
    assert answer["model"] == "claude-opus-4-6"
    assert "base_resp" not in answer
    assert answer["usage"]["cache_read_input_tokens"] == answer["usage"]["cache_creation_input_tokens"] == 0


@pytest.mark.parametrize(
    ("status", "body", "expected", "kind", "message"),
    [
        (400, {"error": {"code": "1210", "message": "bad"}}, 400, "invalid_request_error", "bad"),
        (422, {"detail": [{"loc": ["body", "top_k"], "msg": "wrong"}]}, 400, "invalid_request_error", "top_k: wrong"),
        (404, {"error": {"message": "no model glm", "type": "x"}}, 404, "not_found_error", "no model glm"),
    ],
)
async def test_errors_of_other_providers_are_made_anthropics(
    proxy: StartProxy, client: httpx.AsyncClient, status: int, body: Any, expected: int, kind: str, message: str
) -> None:
    async with ScriptedProvider(json_reply(status, body), strict="nothing") as upstream:
        running = await proxy(own("mine", upstream) + route("mine"))
        answer = await ask(client, running.url)
    assert answer.status_code == expected
    assert answer.json() == {"type": "error", "error": {"type": kind, "message": message}}


async def test_what_is_no_json_inside_is_refused_clearly(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """A rule that looks inside finds what the top level did not show; nothing is sent."""
    async with ScriptedProvider(strict="nothing") as upstream:
        running = await proxy(own("mine", upstream) + route("mine"))
        body = b'{"model":"m","messages":[{"role":"user","content":"\\ud83d"}]}'
        answer = await client.post(f"{running.url}/v1/messages", content=body, headers=HEADERS)
        assert not upstream.messages
    assert answer.status_code == 400
    assert "not valid JSON" in answer.json()["error"]["message"]


async def test_a_provider_that_refuses_everything_is_not_asked_forever(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    odd = {f"odd_{number}": 1 for number in range(20)}
    async with ScriptedProvider(refusing(*odd), strict="nothing") as upstream:
        running = await proxy(own("mine", upstream, UNREWRITTEN) + route("mine"))
        answer = await ask(client, running.url, odd)
        assert len(upstream.messages) == 17
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "odd_16: Extra inputs are not permitted"


async def test_a_model_that_wants_every_thought_back_is_told_not_to_think(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    """decolua/9router#2397: in one exchange; from then on at once, and only where a thought is missing."""
    wrong = "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1"

    def strict(request: RecordedRequest) -> Reply:
        called = request.json["messages"][1:2] and request.json["thinking"]["type"] != "disabled"
        return json_reply(400, {"error": {"type": "invalid_request_error", "message": wrong}}) if called else sse()

    call = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a b"}
    talk = [*BODY["messages"], {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    thinks = {"thinking": {"type": "adaptive"}, "max_tokens": 4000}
    async with ScriptedProvider(strict, strict="nothing") as upstream:
        running = await proxy(own("mine", upstream) + route("mine"))
        for messages in (talk, talk, BODY["messages"]):
            assert (await ask(client, running.url, {**thinks, "messages": messages})).status_code == 200
    sent = [request.json["thinking"]["type"] for request in upstream.messages]
    assert sent == ["enabled", "disabled", "disabled", "enabled"]


async def test_what_a_provider_ran_itself_does_not_spoil_the_conversation(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    """decolua/9router#3685: Anthropic knows neither the tool nor its id, and takes no results from an assistant."""
    ran = {"type": "server_tool_use", "id": "call_50b8", "name": "analyze_image", "input": {"q": "cat?"}}
    found = {"type": "tool_result", "tool_use_id": "call_50b8", "content": [{"type": "text", "text": "a cat"}]}
    answer = [ran, found, {"type": "text", "text": "It is a cat."}]
    async with ScriptedProvider() as anthropic, ScriptedProvider(strict="nothing") as foreign:
        running = await proxy(anthropic_table(anthropic) + own("foreign", foreign))
        messages = [*BODY["messages"], {"role": "assistant", "content": answer}, {"role": "user", "content": "sure?"}]
        for endpoint in ("", "/count_tokens"):
            body = {"model": "claude-opus-4-6", "messages": messages, **({} if endpoint else {"max_tokens": 9})}
            url = f"{running.url}/v1/messages{endpoint}"
            assert (await client.post(url, json=body, headers=HEADERS)).status_code == 200
    told = [{"type": "text", "text": text} for text in ('[analyze_image: {"q":"cat?"}]', "a cat", "It is a cat.")]
    assert [request.json["messages"][1]["content"] for request in anthropic.requests] == [told, told]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_tool_with_a_long_name_is_called_by_it(
    proxy: StartProxy, client: httpx.AsyncClient, stream: bool
) -> None:
    name = "mcp__a_server_with_a_long_name__a_tool_with_a_name_that_goes_on_and_on"

    def calling(request: RecordedRequest) -> Reply:
        turn = tool_turn(request.json["tools"][0]["name"], {})
        return sse(turn) if stream else json_reply(200, folded(turn, "m"))

    tools = [{"name": name, "description": "d", "input_schema": {"type": "object"}}]
    async with ScriptedProvider(calling, strict="lmstudio") as upstream:
        running = await proxy(own("mine", upstream) + route("mine"))
        answer = await ask(client, running.url, {"tools": tools, "stream": stream})
        (request,) = upstream.messages
    assert len(request.json["tools"][0]["name"]) == 64
    assert f'"name":"{name}"' in answer.text.replace('": "', '":"')
