"""The real Claude Code on providers of Chat Completions, each as strict as the vendor it plays (D2)."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest

from tests.e2e import mcp_server
from tests.e2e.chat import (
    SCOUT,
    SCOUTED,
    SHELL,
    ChatThinker,
    chat_vendor,
    images,
    is_scout,
    reads,
    task_script,
    tool_texts,
)
from tests.e2e.claude_code import FINAL_TEXT, HAIKU, RESULT, OpenHouse, providers, run_claude
from tests.e2e.config import CLIENT_KEY, CREDENTIAL, ENVIRONMENT, VENDOR_KEY, anthropic_table, chat_table, route
from tests.e2e.scenarios import png
from tests.e2e.turns import Thinker, asked_twice, thoughts, tool_outputs
from turnout.testing.chat import Call, Text, answer
from turnout.testing.chat import error as chat_error
from turnout.testing.provider import ScriptedProviderThread
from turnout.testing.replies import Reply, error
from turnout.testing.wire import RecordedRequest

pytestmark = [pytest.mark.e2e, pytest.mark.claude]

OPUS = "claude-opus-5-5"

FLAVOURS = {
    "openai": ("openai", "gpt-6-sol"),
    "gemini": ("gemini", "gemini-3.8-flash"),
    "deepseek": ("deepseek-openai", "deepseek-flash"),
    "mistral": ("mistral", "mistral-medium-latest"),
    "plain": ("own", "some-model"),
}
"""By vendor: the preset that is asked, and a model of it that sees images. `own` is no preset."""


@pytest.mark.parametrize(
    "flavour", [pytest.param(name, marks=pytest.mark.smoke if name == "openai" else ()) for name in FLAVOURS]
)
def test_a_task_with_every_tool_at_once(opened: OpenHouse, claude_home: Path, flavour: str) -> None:
    """A10, D2: files and a picture at once, a command, a subagent, the last word; the vendor refuses nothing."""
    preset, model = FLAVOURS[flavour]
    files = [claude_home / name for name in ("first.txt", "second.txt", "picture.png")]
    for file, content in zip(files, (b"the first", b"the second", png()), strict=True):
        file.write_bytes(content)
    script = task_script(reads(*files), [SHELL], [SCOUT])
    vendor = chat_vendor(flavour, VENDOR_KEY, script, prefix="/v1" if flavour == "deepseek" else "")
    with providers(vendor), opened(chat_table(vendor, preset) + route(f"{preset}/{model}"), ENVIRONMENT) as house:
        run = run_claude(house.tap.url, claude_home, CREDENTIAL, "--model", "opus", tools="Read,Bash,Agent")
        run.assert_answered()
        flows = house.flows()
    assert asked_twice(house.tap.messages) == []
    (scout,) = [request for request in vendor.messages if is_scout(request)]
    own = [request for request in vendor.messages if request is not scout]
    assert len(own) == 4
    told = tool_texts(own[-1])
    assert len(told) == 5
    for wanted, text in zip(("the first", "the second", "image", RESULT, SCOUTED), told, strict=True):
        assert wanted in text
    assert images(own[-1]) == [f"data:image/png;base64,{base64.b64encode(png()).decode()}"]
    begun = [json.dumps(request.json["messages"]).removesuffix("]") for request in own]
    assert all(later.startswith(earlier) for earlier, later in zip(begun, begun[1:], strict=False)), "for its cache"
    assert [flow.metadata["turnout.attempt"] for flow in flows] == ["1/1"] * 5


OVERLOADED = error(529, "overloaded_error", "Overloaded")


@pytest.mark.parametrize(("flavour", "model"), [("deepseek", OPUS), ("gemini", HAIKU)])
def test_a_conversation_goes_there_and_comes_back(
    opened: OpenHouse, claude_home: Path, flavour: str, model: str
) -> None:
    """B2, D2, E9: in a tool turn and again in the next prompt; neither is shown a thought of the other's."""
    preset, upstream = FLAVOURS[flavour]
    own, other = Thinker("anthropic"), ChatThinker(flavour)
    anthropic = ScriptedProviderThread(
        [own.call(), OVERLOADED, own.call(), own.says(), OVERLOADED, own.call(), own.says()],
        accepts=CLIENT_KEY, mint=own.mint, forbid=["fake-key-of-the-v"],
    )  # fmt: skip
    vendor = chat_vendor(flavour, VENDOR_KEY, prefix="/v1")
    vendor.play([other.call(), other.call(), chat_error(503), other.call(), chat_error(503)])
    with providers(anthropic, vendor):
        tables = anthropic_table(anthropic) + chat_table(vendor, preset, 'cooldown = "1ms"')
        with opened(tables + route("anthropic", f"{preset}/{upstream}"), ENVIRONMENT) as house:
            for options in ((), ("--continue",)):
                run_claude(house.tap.url, claude_home, CREDENTIAL, "--model", model, *options).assert_answered()
            flows = house.flows()
    assert asked_twice(house.tap.messages) == []
    served = [flow.metadata["turnout.provider"] for flow in flows if flow.metadata["turnout.verdict"] == "ok"]
    assert served == ["anthropic", preset, preset, "anthropic", "anthropic", preset, "anthropic", "anthropic"]
    outputs = ["anthropic-100", f"{flavour}-100", f"{flavour}-101", "anthropic-101", f"{flavour}-102", "anthropic-103"]
    assert tool_outputs(anthropic.messages[-1]) == outputs
    assert tool_texts(vendor.messages[-1]) == outputs[:-1]
    assert thoughts(anthropic.messages[-1]) == own.blocks[:-1]
    assert not any(f"{flavour} thinks" in request.body.decode() for request in anthropic.messages)
    assert not any("anthropic thinks" in request.body.decode() for request in vendor.messages)


def test_a_tool_with_a_long_name_is_found_and_called(opened: OpenHouse, claude_home: Path) -> None:
    """A10, D2: OpenAI's functions have names of 64 characters; a tool of MCP may have more, and be found first."""
    server, tool = "a-server-with-quite-a-long-name", "and_a_tool_whose_name_is_no_shorter_than_that"
    name = f"mcp__{server}__{tool}"
    known = {server: {"command": sys.executable, "args": [mcp_server.__file__, tool, "found"]}}

    def script(request: RecordedRequest) -> Reply:
        names = [each["function"]["name"] for each in request.json["tools"]]
        if any("found" in text for text in tool_texts(request)):
            return answer(Text(FINAL_TEXT))
        for short in names:
            if short.startswith("mcp__"):
                return answer(Call(short, {"what": "it"}))
        return answer(Call("ToolSearch", {"query": f"select:{name}"}))

    vendor = chat_vendor("openai", VENDOR_KEY, script)
    with providers(vendor), opened(chat_table(vendor, "openai") + route("openai/gpt-6-sol"), ENVIRONMENT) as house:
        options = ("--mcp-config", json.dumps({"mcpServers": known}), "--strict-mcp-config")
        run_claude(house.tap.url, claude_home, CREDENTIAL, *options, tools=f"ToolSearch,{name}").assert_answered()
    *found, answered = tool_texts(vendor.messages[-1])
    assert answered == "found it"
    names = {each["function"]["name"] for each in vendor.messages[-1].json["tools"]}
    assert names.issuperset(found), "the search tells the name that the tool is to be called by"
    assert asked_twice(house.tap.messages) == []
