"""A task of several tools, as a model behind a server of Chat Completions works on it with the real Claude Code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.e2e.claude_code import COMMAND, FINAL_TEXT
from tests.e2e.turns import REMINDER
from turnout.testing.chat import CHAT_VENDORS, Call, ChatVendor, Text, Thought, Usage, answer
from turnout.testing.provider import Script, ScriptedProviderThread
from turnout.testing.replies import Reply
from turnout.testing.wire import RecordedRequest

TITLE = '{"title": "Two files and a command"}'
SCOUT_PROMPT = "Look around."
SCOUTED = "The scout saw nothing."

SHELL = Call("Bash", {"command": COMMAND, "description": "Say where it was"})
SCOUT = Call(
    "Agent",
    {
        "description": "look around",
        "prompt": SCOUT_PROMPT,
        "subagent_type": "general-purpose",
        "run_in_background": False,
    },
)

Calls = Sequence[Call]


def reads(*paths: Path) -> list[Call]:
    return [Call("Read", {"file_path": str(path)}) for path in paths]


def chat_vendor(
    vendor: ChatVendor | str, key: str, script: Script | None = None, **options: Any
) -> ScriptedProviderThread:
    """A strict server of Chat Completions that is never to see anything of Anthropic's credentials."""
    flavour = CHAT_VENDORS[vendor] if isinstance(vendor, str) else vendor
    return ScriptedProviderThread(script, vendor=flavour, accepts=key, forbid=["sk-ant", "proxy-managed"], **options)


def task_script(*steps: Calls, thinks: bool = True) -> Callable[[RecordedRequest], Reply]:
    """Makes the calls of each step at once, then says FINAL_TEXT; with a thought before each.

    Which step it is, the conversation tells: a repeated request gets the same answer. Requests without tools, such as
    the one for a title, get a title; a subagent that is sent by SCOUT has nothing to tell.
    """

    def script(request: RecordedRequest) -> Reply:
        if not request.json.get("tools"):
            return answer(Text(TITLE))
        if is_scout(request):
            return answer(Text(SCOUTED))
        step = steps_taken(request)
        thought = [Thought(f"This is step {step + 1} of {len(steps)}.")] if thinks else []
        usage = Usage(1000 * (step + 1), 50, 900 * step, 10)
        if step >= len(steps):
            return answer(*thought, Text(FINAL_TEXT), usage=usage)
        return answer(*thought, Text(f"Now for step {step + 1}."), *steps[step], usage=usage)

    return script


def is_scout(request: RecordedRequest) -> bool:
    """A conversation that SCOUT has begun."""
    asked = next(message for message in request.json["messages"] if message["role"] == "user")
    return SCOUT_PROMPT in text_of(asked["content"])


def steps_taken(request: RecordedRequest) -> int:
    """How many answers that call tools there are since the last that was final."""
    taken = 0
    for message in request.json["messages"]:
        if message["role"] == "assistant":
            taken = 0 if message["content"] == FINAL_TEXT else taken + bool(message.get("tool_calls"))
    return taken


def tool_texts(request: RecordedRequest) -> list[str]:
    """What the tools of a conversation have said, without what Claude Code reminds the model of in the same place."""
    return [REMINDER.sub("", text_of(message["content"])).strip() for message in request.tool_results]


def images(request: RecordedRequest) -> list[str]:
    """The addresses of the images that a conversation shows."""
    contents = [message["content"] for message in request.json["messages"] if isinstance(message["content"], list)]
    return [part["image_url"]["url"] for parts in contents for part in parts if part["type"] == "image_url"]


def text_of(content: Any) -> str:
    """All text of a message."""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content or () if part["type"] == "text")


class ChatThinker:
    """The script of one server, which answers like `turns.Thinker`: the n-th answer of `deepseek` that calls Bash
    yields "deepseek-10n"."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.thoughts: list[str] = []

    def call(self) -> Reply:
        """Thinks, then has Bash reckon."""
        command = {"command": f"echo {self.name}-$(({len(self.thoughts)} + 100))", "description": "Say where it was"}
        return answer(self._thinks(), Call("Bash", command))

    def says(self, text: str = FINAL_TEXT) -> Reply:
        """Thinks, then ends the turn."""
        return answer(self._thinks(), Text(text))

    def _thinks(self) -> Thought:
        self.thoughts.append(f"{self.name} thinks for the {len(self.thoughts) + 1}. time")
        return Thought(self.thoughts[-1])
