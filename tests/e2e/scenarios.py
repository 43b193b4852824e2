"""What Claude Code is made to do so that it shows what it sends; a scripted provider takes everything and answers."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.claude_code import FINAL_TEXT, claude_environment, run_claude, sign_in, tool_turn_script
from tests.e2e.terminal import furnish, terminal
from tests.e2e.turns import TITLE, asks_for_title, is_search, is_subagent, searched, tool_names, with_verdicts
from turnout.testing.events import Event, stream_of, tool_turn
from turnout.testing.provider import Script, ScriptedProviderThread
from turnout.testing.replies import Reply, sse
from turnout.testing.wire import RecordedRequest

KEY = {"ANTHROPIC_AUTH_TOKEN": "local-dev-key"}
Requests = list[RecordedRequest]


@dataclass(frozen=True)
class Stage:
    """One run: the program, an empty folder for its home, and a provider."""

    claude: Path
    folder: Path

    def headless(
        self,
        script: Script,
        *options: str,
        prompt: str = "Go.",
        tools: str = "Bash",
        credential: Mapping[str, str] = KEY,
    ) -> Requests:
        """`claude -p`, to its end."""
        with ScriptedProviderThread(script, strict="nothing") as provider:
            run = run_claude(
                provider.url, self.folder, credential, *options, prompt=prompt, tools=tools, claude=self.claude
            )
            assert run.exit_code == 0, run
            return list(provider.requests)


def model(name: str) -> Callable[[Stage], Requests]:
    """The first request to a model."""
    return lambda stage: stage.headless([sse(stream_of(FINAL_TEXT))], "--model", name)


def tool(stage: Stage) -> Requests:
    """A tool turn: Bash, then the last word."""
    return stage.headless(tool_turn_script())


def login(stage: Stage) -> Requests:
    """Its own login in the place of a token."""
    sign_in(stage.folder, "sk-ant-oat01-fake-token-of-the-client")
    return stage.headless(tool_turn_script(), credential={})


def automatic(stage: Stage) -> Requests:
    """Auto mode without a person."""
    script = [sse(with_verdicts(events)) for events in _bash_then_text()]
    return stage.headless(script, "--permission-mode", "auto")


def subagent(stage: Stage) -> Requests:
    """A subagent that says a word."""
    task = {"description": "look", "prompt": "Look around.", "subagent_type": "general-purpose"}

    def answer(request: RecordedRequest) -> Reply:
        if is_subagent(request) or "Agent" not in tool_names(request) or request.tool_results:
            return sse(stream_of(FINAL_TEXT))
        return sse(tool_turn("Agent", task))

    return stage.headless(answer, tools="Agent")


def search(stage: Stage) -> Requests:
    """A search in the web, which is a request of its own; where tools are deferred, the tool is looked for first."""

    def answer(request: RecordedRequest) -> Reply:
        if is_search(request):
            return sse(searched("turnout", "https://example.com/"))
        if "WebSearch" in tool_names(request):
            done = _asked(request, "web")
            return sse(stream_of(FINAL_TEXT) if done else _call("WebSearch", {"query": "turnout"}, "web"))
        return sse(_call("ToolSearch", {"query": "select:WebSearch"}, "tool"))

    return stage.headless(answer, tools="WebSearch,ToolSearch")


def image(stage: Stage) -> Requests:
    """A picture that is read."""
    picture = stage.folder / "picture.png"
    picture.write_bytes(png())
    return stage.headless(
        [sse(tool_turn("Read", {"file_path": str(picture)})), sse(stream_of(FINAL_TEXT))], tools="Read"
    )


def context(stage: Stage) -> Requests:
    """`/context`, which counts tokens."""
    return stage.headless([sse(stream_of(FINAL_TEXT))], prompt="/context")


def discovery(stage: Stage) -> Requests:
    """A gateway whose models are asked for."""
    variables = {**KEY, "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1"}
    return stage.headless([sse(stream_of(FINAL_TEXT))], credential=variables)


def interactive(stage: Stage) -> Requests:
    """A session of a person: title, auto mode with a tool, compaction."""
    project = stage.folder / "project"
    project.mkdir()
    furnish(stage.folder, project)
    turns = iter(_bash_then_text())

    def answer(request: RecordedRequest) -> Reply:
        if asks_for_title(request):
            return sse(stream_of(TITLE))
        return sse(with_verdicts(next(turns, stream_of("A summary of what was said."))))

    with ScriptedProviderThread(answer, strict="nothing") as provider:
        environment = claude_environment(provider.url, stage.folder, KEY, nonessential=True)
        with terminal([str(stage.claude)], environment, project) as screen:
            screen.shows("❯")
            screen.type("Say hello via the tool.")
            screen.shows(FINAL_TEXT)
            screen.type("/compact")
            screen.shows("[Cc]ompacted")
        return list(provider.requests)


SCENARIOS: dict[str, Callable[[Stage], Requests]] = {
    **{f"model {name}": model(name) for name in ("opus", "sonnet", "haiku", "fable", "some-model")},
    **{f"model {name}": model(name) for name in ("claude-opus-4-8", "claude-sonnet-4-6", "claude-haiku-4-5")},
    "tool": tool,
    "login": login,
    "auto mode": automatic,
    "subagent": subagent,
    "search": search,
    "image": image,
    "context": context,
    "discovery": discovery,
    "interactive": interactive,
}


def png() -> bytes:
    """One red pixel."""
    rows = zlib.compress(b"\x00\xff\x00\x00")
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _bash_then_text() -> list[list[Event]]:
    call = tool_turn("Bash", {"command": "touch here", "description": "Leave a trace"}, id="toolu_bash")
    return [call, stream_of(FINAL_TEXT)]


def _call(name: str, given: dict[str, str], mark: str) -> list[Event]:
    return tool_turn(name, given, id=f"toolu_{mark}")


def _asked(request: RecordedRequest, mark: str) -> bool:
    return any(result["tool_use_id"] == f"toolu_{mark}" for result in request.tool_results)
