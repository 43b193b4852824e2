"""What happens in each recorded session, and the settings with which it is recorded and replayed.

Every provider is at http://NAME.invalid in these settings; whoever runs them puts an address of this machine there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.e2e.claude_code import HAIKU, tool_turn_script
from tests.e2e.turns import TITLE, Thinker, asks_for_title
from tests.replay.stage import SMALL, Stage
from turnout.testing import chat, replies
from turnout.testing.chat import CHAT_VENDORS, Call, Text, Usage
from turnout.testing.events import event, stream_of, tool_turn
from turnout.testing.replies import Headers, Reply
from turnout.testing.wire import Answer, RecordedRequest

OPUS, SONNET = "claude-opus-4-8", "claude-sonnet-4-6"


@dataclass(frozen=True)
class Session:
    """One recording."""

    config: str
    play: Callable[[Stage], None]
    in_front: bool = False
    """Recorded by a plain mitmdump between Claude Code and Turnout."""
    chat: tuple[str, ...] = ()
    """The providers that are servers of Chat Completions; each is called as its vendor."""


def provider(name: str, *lines: str, path: str = "") -> str:
    """A provider's table."""
    head = f'[providers.{name}]\nbase_url = "http://{name}.invalid{path}"\ncredentials = ["env:{name.upper()}_KEY"]\n'
    return head + "".join(f"{line}\n" for line in lines)


def route(model: str, *targets: str) -> str:
    return f'[[routes]]\nmodel = "{model}"\nto = [{", ".join(f"{chr(34)}{each}{chr(34)}" for each in targets)}]\n'


NO_RETRIES = '[retry]\nmax_elapsed = "0s"\n'
ANTHROPIC = provider("anthropic") + NO_RETRIES


def client(stage: Stage) -> None:
    """A tool turn with the model that Claude Code prefers, and one with Haiku."""
    anthropic = stage.provider("anthropic")
    with stage.open():
        for options in ((), ("--model", HAIKU)):
            anthropic.play(tool_turn_script())
            stage.claude(*options).assert_answered()


def fresh_prompt(stage: Stage) -> None:
    """One prompt of one line, answered at once; everything that Claude Code sends by itself."""
    stage.provider("anthropic").play(replies.sse(stream_of("Hello from a scripted provider.")))
    with stage.open():
        assert stage.claude().exit_code == 0


def one_tool_turn(stage: Stage) -> None:
    """Bash is called after a thought, and its result leads to the answer."""
    thinker = Thinker("anthropic")
    stage.provider("anthropic", mint=thinker.mint).play([thinker.call(), thinker.says()])
    with stage.open():
        stage.claude("--model", OPUS).assert_answered()


def long_thinking(stage: Stage) -> None:
    """Ten requests of one conversation of two prompts; each answer begins with a signed thought."""
    thinker = Thinker("anthropic")
    anthropic = stage.provider("anthropic", mint=thinker.mint)
    calls = [thinker.call() for _ in range(5)]
    anthropic.play([*calls, thinker.says(), *(thinker.call() for _ in range(3)), thinker.says()])
    with stage.open():
        home = stage.home()
        stage.claude("--model", OPUS, *SMALL, home=home).assert_answered()
        stage.claude("--model", OPUS, *SMALL, "--continue", home=home).assert_answered()


def haiku_title(stage: Stage) -> None:
    """With nonessential traffic: before the prompt is answered, Haiku is asked for a title of the session."""
    titled = asyncio.Event()

    def reply(request: RecordedRequest) -> Reply:
        if not asks_for_title(request):
            return replies.sse(stream_of("Hello from a scripted provider."), gate=titled)
        return AndThen(replies.sse(stream_of(TITLE)), titled)

    stage.provider("anthropic").play(reply)
    with stage.open():
        assert stage.claude("--model", OPUS, *SMALL, nonessential=True).exit_code == 0


@dataclass(frozen=True)
class AndThen:
    """A reply, and a gate that is opened when it has been given."""

    reply: Reply
    gate: asyncio.Event

    async def play(self, request: RecordedRequest, answer: Answer, headers: Headers) -> None:
        await self.reply.play(request, answer, headers)
        self.gate.set()


def subagent(stage: Stage) -> None:
    """The model hands a task to an agent of its own, which runs on Haiku with tools of its own."""
    task = {"description": "Look it up", "prompt": "Find out where it was.", "subagent_type": "general-purpose"}
    call, says = tool_turn_script()

    def reply(request: RecordedRequest) -> Reply:
        if request.tool_results:
            return says
        return call if request.model == HAIKU else replies.sse(tool_turn("Agent", {**task, "model": "haiku"}))

    stage.provider("anthropic").play(reply)
    with stage.open():
        stage.claude("--model", OPUS, "--tools", "Agent,Bash", *SMALL[2:]).assert_answered()


def chain(*names: str) -> str:
    """Settings that send every request to these providers, one after the other, and change nothing."""
    tables = [provider(name, 'rewrite.profile = "none"') for name in names]
    return "".join([*tables, route("*", *names), NO_RETRIES])


QUOTA = replies.error(
    429,
    "rate_limit_error",
    "This request would exceed your account's rate limit.",
    {"retry-after": "3600", "anthropic-ratelimit-unified-status": "rejected"},
)
OVERLOADED = replies.error(529, "overloaded_error", "Overloaded")
PAGE = replies.WholeReply(
    500, b"<html><body><h1>500 Internal Server Error</h1></body></html>", {"content-type": "text/html"}
)


def failover_chain(stage: Stage) -> None:
    """Four requests, a model each, so that what failed for one is not yet known to fail for the next.

    An error event inside a 200, then served; a lost connection, then served; an overload, a lost connection and a
    quota, then served; and one at which every provider fails.
    """
    answers = {
        "first": {SONNET: replies.error_event(), HAIKU: replies.close_before_headers(), OPUS: OVERLOADED, LAST: PAGE},
        "second": {OPUS: replies.close_before_headers(), LAST: OVERLOADED},
        "third": {OPUS: QUOTA},
        "fourth": {LAST: THROTTLE},
    }
    for name, by_model in answers.items():
        stage.provider(name).play(_by_model(by_model))
    with stage.open():
        for model in (SONNET, HAIKU, OPUS):
            assert stage.claude("--model", model, *SMALL).exit_code == 0
        assert stage.claude("--model", LAST, *SMALL).exit_code == 1


def _by_model(answers: Mapping[str, Reply]) -> Callable[[RecordedRequest], Reply]:
    return lambda request: answers.get(request.model, replies.sse(stream_of("Hello.")))


LAST = "claude-opus-4-6"
THROTTLE = replies.error(
    429,
    "rate_limit_error",
    "Number of requests has exceeded your per-minute rate limit.",
    {
        "retry-after": "30",
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "0",
    },
)

FOREIGN = "".join(
    (
        provider("anthropic", 'cooldown = "1ms"'),
        provider("minimax", path="/anthropic"),
        provider("deepseek", path="/anthropic"),
        route(OPUS, "deepseek/deepseek-v4-pro"),
        route("*", "anthropic", "minimax/MiniMax-M3"),
        NO_RETRIES,
    )
)


def foreign_provider(stage: Stage) -> None:
    """A conversation that goes to MiniMax in the middle of a tool turn and comes back, twice; a tool turn at DeepSeek.

    Anthropic verifies every signature, the others refuse what they do not know.
    """
    own, other, third = Thinker("anthropic"), Thinker("minimax"), Thinker("deepseek")
    anthropic = stage.provider("anthropic", mint=own.mint)
    minimax = stage.provider("minimax", strict="minimax", mint=other.mint)
    deepseek = stage.provider("deepseek", strict="deepseek", mint=third.mint)
    anthropic.play([own.call(), own.call(), OVERLOADED, own.call(), own.says(), own.call(), own.says()])
    minimax.play([other.call(), other.call(), replies.base_resp(2056, "usage limit exceeded")])
    deepseek.play([third.call(), third.says()])
    with stage.open():
        home = stage.home()
        stage.claude("--model", LAST, *SMALL, home=home).assert_answered()
        stage.claude("--model", LAST, *SMALL, "--continue", home=home).assert_answered()
        stage.claude("--model", OPUS).assert_answered()
    assert not minimax.problems and not deepseek.problems


CHAT = "".join(
    (
        provider("anthropic", 'cooldown = "1ms"'),
        provider("gemini", path="/v1beta/openai"),
        route("*", "anthropic", "gemini/gemini-3.8-flash"),
        NO_RETRIES,
    )
)
NO_QUOTA = chat.error(429, "You exceeded your current quota.", code="insufficient_quota")


def chat_provider(stage: Stage) -> None:
    """A conversation that goes to Gemini's Chat Completions in the middle of a tool turn and comes back.

    Gemini calls two tools at once, and verifies what it has signed in them; Anthropic verifies its thoughts.
    """
    own = Thinker("anthropic")
    anthropic = stage.provider("anthropic", mint=own.mint)
    gemini = stage.provider("gemini", vendor=CHAT_VENDORS["gemini"])
    anthropic.play([own.call(), OVERLOADED, own.call(), own.says(), own.call(), own.says()])
    gemini.play([_calls("one", "two"), _calls("three"), NO_QUOTA])
    with stage.open():
        home = stage.home()
        stage.claude("--model", LAST, *SMALL, home=home).assert_answered()
        stage.claude("--model", LAST, *SMALL, "--continue", home=home).assert_answered()
    assert not gemini.problems and len(gemini.messages) == 3


def _calls(*names: str) -> Reply:
    calls = [Call("Bash", {"command": f"echo {name}", "description": "Say it"}) for name in names]
    return chat.answer(Text("Let me see."), *calls, usage=Usage(cached=5))


SHAPES = "".join(
    (
        provider("anthropic", 'cooldown = "1ms"'),
        provider("mine", 'rewrite.profile = "none"'),
        provider("other", 'rewrite.profile = "none"'),
        route(HAIKU, "mine/some-model"),
        route(SONNET, "other/other-model"),
        route("*", "anthropic"),
        NO_RETRIES,
    )
)
TOO_LARGE = replies.error(413, "request_too_large", "Request exceeds the maximum size")
TOO_LONG = replies.error(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")
INVALID = replies.error(400, "invalid_request_error", "messages.0.content: Field required")
REFUSED = replies.error(401, "authentication_error", "invalid x-api-key")
FOREIGN_ERROR = replies.json(400, {"error": {"code": "1210", "message": "Invalid API parameter."}})


def error_shapes(stage: Stage) -> None:
    """One request for each way in which a provider fails; the shape of the answer is what matters.

    The last ones: a vendor that teaches what it does not take until it is satisfied, and one whose error is in a shape
    of its own.
    """
    anthropic = stage.provider("anthropic")
    mine = stage.provider("mine", strict="generic")
    stage.provider("other", strict="nothing").play(FOREIGN_ERROR)
    whole = stream_of("Hello from a scripted provider.")
    interrupted = [*whole[:4], event("error", error={"type": "overloaded_error", "message": "Overloaded"})]
    with stage.open():
        for failure in (INVALID, TOO_LARGE, TOO_LONG, OVERLOADED, PAGE, replies.error_event()):
            anthropic.play(failure)
            assert stage.claude("--model", OPUS, *SMALL).exit_code == 1
        for breaks in (replies.sse(interrupted), replies.close_after(4), replies.truncated()):
            anthropic.play([breaks, replies.sse(whole)])  # Claude Code may ask again, without a stream
            stage.claude("--model", OPUS, *SMALL)
        for model, failure in ((OPUS, THROTTLE), (LAST, REFUSED)):
            anthropic.play(failure)
            assert stage.claude("--model", model, *SMALL).exit_code == 1
        assert stage.claude("--model", HAIKU, *SMALL).exit_code == 0
        assert stage.claude("--model", SONNET, *SMALL).exit_code == 1
    assert mine.problems


SESSIONS = {
    "claude-code-client": Session(ANTHROPIC, client, in_front=True),
    "fresh-prompt": Session(ANTHROPIC, fresh_prompt),
    "tool-turn": Session(ANTHROPIC, one_tool_turn),
    "long-thinking": Session(ANTHROPIC, long_thinking),
    "haiku-title": Session(ANTHROPIC, haiku_title),
    "subagent": Session(ANTHROPIC, subagent),
    "failover-chain": Session(chain("first", "second", "third", "fourth"), failover_chain),
    "foreign-provider": Session(FOREIGN, foreign_provider),
    "chat-provider": Session(CHAT, chat_provider, chat=("gemini",)),
    "error-shapes": Session(SHAPES, error_shapes),
}
