"""llama.cpp's own server with a tiny model, in both of its dialects: nothing of what it answers is scripted (D2).

What it says is chance, but the same chance whenever the same is asked.
"""

from __future__ import annotations

import base64
import importlib.util
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
import pytest_asyncio

from tests.e2e.claude_code import OpenHouse, run_claude
from tests.e2e.config import CLIENT_KEY, CREDENTIAL
from tests.e2e.llama_server import PACKAGE, llama_server
from tests.e2e.scenarios import png
from turnout.testing.fixtures import StartProxy
from turnout.testing.proxy import RunningProxy

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not importlib.util.find_spec(PACKAGE), reason=f"{PACKAGE}, which holds llama.cpp, is not there"),
]

WINDOW = 8192
"""Tokens, each a byte."""
ENOUGH = 800
"""Tokens in which the model, which ends its turn at about every thirtieth, has done so."""

CHAT, MESSAGES = "claude-opus-5-5", "claude-haiku-4-5"
"""The models that are asked for: one in Chat Completions, the other in llama.cpp's own Messages API."""
BOTH = pytest.mark.parametrize("model", [CHAT, MESSAGES])

HELLO: dict[str, Any] = {"role": "user", "content": "Say hello."}
ASK: dict[str, Any] = {
    "max_tokens": ENOUGH,
    "system": [{"type": "text", "text": "You are here.", "cache_control": {"type": "ephemeral"}}],
    "messages": [HELLO],
}
NEXT_TURN = "\n#user\nSay hello.#\n#assistant\n"
"""What stands in the model's prompt between two answers; # are its marks."""
PLACES = ("here", "there")
PLACE = {
    "type": "object",
    "properties": {"at": {"type": "string", "enum": list(PLACES)}},
    "required": ["at"],
    "additionalProperties": False,
}
TOOLS = [{"name": name, "description": "Looks.", "input_schema": PLACE} for name in ("look", "watch")]


def config(server: str, extra: str = "") -> str:
    return f"""
[providers.llamacpp-openai]
base_url = "{server}/v1"
{extra}
[providers.llamacpp]
base_url = "{server}"
[[routes]]
model = "{CHAT}"
to = ["llamacpp-openai/tiny"]
[[routes]]
model = "*haiku*"
to = ["llamacpp/tiny"]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with llama_server(tmp_path_factory.mktemp("llama"), WINDOW) as address:
        yield address


@pytest_asyncio.fixture
async def running(server: str, proxy: StartProxy) -> RunningProxy:
    return await proxy(config(server))


@pytest_asyncio.fixture
async def sdk(running: RunningProxy) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(api_key=CLIENT_KEY, base_url=running.url, max_retries=0) as client:
        yield client


async def streamed(sdk: anthropic.AsyncAnthropic, model: str, **more: Any) -> dict[str, Any]:
    async with sdk.messages.stream(**{**ASK, "model": model, **more}) as stream:
        return (await stream.get_final_message()).model_dump(mode="json", exclude_none=True)


def said(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The blocks without what is made up for each answer."""
    return [{key: block[key] for key in block.keys() - {"id", "signature"}} for block in message["content"]]


def kinds(message: dict[str, Any]) -> list[str]:
    return [block["type"] for block in message["content"]]


def prompt_tokens(message: dict[str, Any]) -> int:
    usage = message["usage"]
    return int(usage["input_tokens"] + usage["cache_read_input_tokens"])


@BOTH
async def test_a_stream_adds_up_to_the_whole_answer(sdk: anthropic.AsyncAnthropic, model: str) -> None:
    """With thoughts, which it always has; given back, the model reads again all that it wrote."""
    whole = (await sdk.messages.create(**ASK, model=model)).model_dump(mode="json", exclude_none=True)
    answer = await streamed(sdk, model)
    assert kinds(answer) == ["thinking", "text"]
    assert said(whole) == said(answer)
    assert prompt_tokens(whole) == prompt_tokens(answer) > len("You are here.Say hello.")
    assert (whole["model"], whole["stop_reason"]) == (answer["model"], answer["stop_reason"]) == (model, "end_turn")
    assert whole["usage"]["output_tokens"] == answer["usage"]["output_tokens"] > 3
    assert answer["usage"]["cache_read_input_tokens"] > 0
    more = await streamed(sdk, model, messages=[HELLO, {"role": "assistant", "content": answer["content"]}, HELLO])
    assert prompt_tokens(more) == prompt_tokens(answer) + answer["usage"]["output_tokens"] + len(NEXT_TURN)


@pytest.mark.parametrize(("model", "choice"), [(CHAT, "any"), (CHAT, "tool"), (MESSAGES, "any")])
async def test_a_tool_that_has_to_be_called_is_called(
    sdk: anthropic.AsyncAnthropic, running: RunningProxy, model: str, choice: str
) -> None:
    chosen = {"type": choice, **({"name": "watch"} if choice == "tool" else {})}
    thinking = {"type": "adaptive"}
    answer = await streamed(sdk, model, tools=TOOLS, tool_choice=chosen, thinking=thinking)
    assert (answer["stop_reason"], kinds(answer)[:3]) == ("tool_use", ["thinking", "text", "tool_use"])
    calls = answer["content"][2:]
    assert all(call["name"] in ("look", "watch") and call["input"]["at"] in PLACES for call in calls)
    results = [{"type": "tool_result", "tool_use_id": call["id"], "content": "Nothing there."} for call in calls]
    history = [HELLO, {"role": "assistant", "content": answer["content"]}, {"role": "user", "content": results}]
    last = await streamed(sdk, model, tools=TOOLS, messages=history, thinking=thinking)
    assert last["stop_reason"] in ("end_turn", "tool_use")
    assert prompt_tokens(last) > prompt_tokens(answer) + len("Nothing there.")
    if model == CHAT:
        assert json.loads(running.flows[0].request.content)["tool_choice"] == "required"


async def test_both_dialects_show_the_model_the_same(sdk: anthropic.AsyncAnthropic) -> None:
    """llama.cpp translates Messages itself: its model reads no other prompt when Turnout has translated them."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "hére"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "No."}]}
    history = [
        {"role": "user", "content": [{"type": "text", "text": "Look\nhére <b>&amp;"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "I do."}, call]},
        {"role": "user", "content": [result]},
        {"role": "assistant", "content": "Nothing."},
        {"role": "user", "content": "Again."},
    ]
    one, other = [await streamed(sdk, model, messages=history, tools=TOOLS) for model in (CHAT, MESSAGES)]
    assert prompt_tokens(one) == prompt_tokens(other)
    assert said(one) == said(other)


async def test_thinking_on_and_off(sdk: anthropic.AsyncAnthropic) -> None:
    """The model, which thinks by itself, is kept from it. llama.cpp's Messages API does not look at `thinking`."""
    assert kinds(await streamed(sdk, CHAT, thinking={"type": "disabled"})) == ["text"]
    assert kinds(await streamed(sdk, CHAT, thinking={"type": "adaptive"})) == ["thinking", "text"]


@BOTH
async def test_the_end_that_was_asked_for(sdk: anthropic.AsyncAnthropic, model: str) -> None:
    free = await streamed(sdk, model)
    text = free["content"][-1]["text"]
    half = text[len(text) // 2 :]
    stopped = await streamed(sdk, model, stop_sequences=["#", half])
    assert stopped["stop_reason"] == "end_turn", "neither dialect tells of this stop"
    assert "".join(block.get("text", "") for block in stopped["content"]) == text.partition(half)[0]
    cut = await streamed(sdk, model, max_tokens=3)
    assert (cut["stop_reason"], cut["usage"]["output_tokens"], kinds(cut)) == ("max_tokens", 3, ["thinking"])


async def test_an_answer_in_a_format(sdk: anthropic.AsyncAnthropic) -> None:
    """In Chat Completions alone: its Messages API does not look at `output_config.format`."""
    answer = await streamed(sdk, CHAT, output_config={"format": {"type": "json_schema", "schema": PLACE}})
    assert json.loads(answer["content"][-1]["text"])["at"] in PLACES


@BOTH
async def test_a_prompt_that_is_too_long(sdk: anthropic.AsyncAnthropic, model: str) -> None:
    """In the words on which Claude Code makes room."""
    long = {"role": "user", "content": "x" * WINDOW}
    with pytest.raises(anthropic.BadRequestError, match=rf"prompt is too long: \d+ tokens > {WINDOW} maximum"):
        await streamed(sdk, model, messages=[long])


@BOTH
async def test_an_image_for_a_model_that_sees_none(
    sdk: anthropic.AsyncAnthropic, running: RunningProxy, model: str
) -> None:
    """It is left out from then on, though the server says that it has failed (500)."""
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png()).decode()}
    shown = {"role": "user", "content": [{"type": "text", "text": "See."}, {"type": "image", "source": source}]}
    for _ in range(2):
        assert (await streamed(sdk, model, messages=[shown]))["stop_reason"] == "end_turn"
    assert [flow.metadata["turnout.verdict"] for flow in running.flows] == ["request", "ok", "ok"]


async def test_only_its_messages_api_counts(sdk: anthropic.AsyncAnthropic) -> None:
    asked = {name: ASK[name] for name in ("system", "messages")}
    counted = await sdk.messages.count_tokens(model=MESSAGES, **asked)
    assert counted.input_tokens == prompt_tokens(await streamed(sdk, MESSAGES))
    with pytest.raises(anthropic.InternalServerError, match="does not count tokens"):
        await sdk.messages.count_tokens(model=CHAT, **asked)


SMALL = ("--tools", "Read", "--system-prompt", "Be brief.")
"""Its own prompt and tools are 49,000 of these tokens, which the model reads in half a minute."""


@pytest.mark.claude
def test_claude_code_gets_an_answer(server: str, opened: OpenHouse, claude_home: Path) -> None:
    """And is told when the window is too small for it."""
    no_calls = '[providers.llamacpp-openai.rewrite.chat.extra]\nlogit_bias = [["<tool_call>", false]]'
    with opened(config(server, no_calls)) as house:
        run = run_claude(house.tap.url, claude_home, CREDENTIAL, "--model", CHAT, *SMALL, prompt="Say hello.")
        refused = run_claude(house.tap.url, claude_home, CREDENTIAL, "--model", CHAT, prompt="Say hello.")
        flows = house.flows()
    assert run.exit_code == 0 and run.stdout.strip(), run
    assert refused.exit_code == 1 and refused.stdout.startswith("Prompt is too long"), refused
    assert f"(limit {WINDOW})" in refused.stdout
    assert flows[0].metadata["turnout.verdict"] == "ok"
