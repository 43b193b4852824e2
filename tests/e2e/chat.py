"""A task of several tools, as a model behind a server of Chat Completions works on it with the real Claude Code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.claude_code import COMMAND, FINAL_TEXT
from turnout.testing.chat import CHAT_VENDORS, Call, ChatVendor, Text, Thought, Usage, answer
from turnout.testing.provider import ScriptedProviderThread
from turnout.testing.replies import Reply
from turnout.testing.wire import RecordedRequest

TITLE = '{"title": "Two files and a command"}'


def chat_vendor(
    vendor: ChatVendor | str, key: str, script: Callable[[RecordedRequest], Reply], **options: Any
) -> ScriptedProviderThread:
    """A strict server of Chat Completions that is never to see anything of Anthropic's credentials."""
    flavour = CHAT_VENDORS[vendor] if isinstance(vendor, str) else vendor
    return ScriptedProviderThread(script, vendor=flavour, accepts=key, forbid=["sk-ant", "proxy-managed"], **options)


def task_script(first: Path, second: Path, *, thinks: bool = True) -> Callable[[RecordedRequest], Reply]:
    """Reads both files at once, runs COMMAND with Bash, says FINAL_TEXT; with a thought before each.

    Which step it is, the conversation tells: a repeated request gets the same answer. Requests without tools, such as
    the one for a title, get a title.
    """
    reads = [Call("Read", {"file_path": str(path)}) for path in (first, second)]
    shell = Call("Bash", {"command": COMMAND, "description": "Say where it was"})
    steps = [[Text("Let me read both."), *reads], [shell], [Text(FINAL_TEXT)]]

    def script(request: RecordedRequest) -> Reply:
        if not request.json.get("tools"):
            return answer(Text(TITLE))
        step = steps_taken(request)
        thought = [Thought(f"This is step {step + 1} of {len(steps)}.")] if thinks else []
        return answer(*thought, *steps[min(step, len(steps) - 1)], usage=Usage(1000 * (step + 1), 50, 900 * step, 10))

    return script


def steps_taken(request: RecordedRequest) -> int:
    """How many answers that call tools there are since the user last asked for something."""
    taken = 0
    for message in request.json["messages"]:
        if message["role"] == "assistant":
            taken = taken + 1 if message.get("tool_calls") else 0
    return taken


def tool_texts(request: RecordedRequest) -> list[str]:
    """What the tools of a conversation have said."""
    contents = [message["content"] for message in request.tool_results]
    return [each if isinstance(each, str) else "".join(part["text"] for part in each) for each in contents]
