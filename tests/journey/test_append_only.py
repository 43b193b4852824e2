"""Whatever happens to a conversation between two requests, what is sent of it only grows, or what was thought goes.

The judge is Anthropic's own check of bound thinking: a mint that takes a block back only into the very conversation
that it was made for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from turnout.dialects.messages.refusals.lesson import Lesson
from turnout.dialects.messages.rewrite import Subject, rewrite
from turnout.dialects.messages.signatures import fingerprint
from turnout.journey.knowledge import Knowledge
from turnout.settings.model import Provider
from turnout.settings.rewriting import complete
from turnout.testing.binding import BoundMint, _items, _unmarked
from turnout.testing.refusal import Refusal
from turnout.testing.wire import RecordedRequest

MODEL = "claude-opus-5-5"
TARGETS = (("anthropic", "one"), ("anthropic", "two"), ("gateway", "three"), ("glm", "four"))
EDITS: tuple[dict[str, Any], ...] = (
    {},
    {"prepend_system": "Be kind."},
    {"prepend_system": "Be brief."},
    {"refused_blocks": ["document"]},
    {"system_role": "user"},
    {"system_role": "hoist"},
    {"auto_cache": True},
    {"max_tokens": 32000},
)
LESSONS = (
    Lesson("refused_blocks", "document"),
    Lesson("images", "note"),
    Lesson("system_role", "user"),
    Lesson("max_tokens", 4096),
    Lesson("thinking.adaptive", "drop"),
)
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}

Step = tuple[str, Any]


def providers(edit: dict[str, Any]) -> dict[str, Provider]:
    tables: dict[str, tuple[dict[str, Any], bool]] = {
        "anthropic": (edit, True),
        "gateway": ({"profile": "claude", **edit}, False),
        "glm": ({}, False),
    }
    return {
        name: Provider.model_validate(
            {
                "name": name,
                "base_url": "http://127.0.0.1:1",
                "first_party": first,
                "rewrite": complete(table, {}, usual="none" if first else "safe"),
            }
        )
        for name, (table, first) in tables.items()
    }


@dataclass
class World:
    """A client with one conversation, Turnout's knowledge, and providers that check what they get."""

    messages: list[dict[str, Any]] = field(default_factory=lambda: [{"role": "user", "content": "hello"}])
    knowledge: Knowledge = field(default_factory=Knowledge)
    edit: dict[str, Any] = field(default_factory=dict)
    thoughts: int = 0
    mark: str = ""
    forgotten: bool = False
    """Since it was started Turnout does not know what was thought before."""
    before: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    """By target: what was sent last, as long as nothing has been changed since."""

    def __post_init__(self) -> None:
        self.knowledge.configure(providers(self.edit))

    def do(self, step: Step) -> None:
        kind, value = step
        if kind == "ask":
            self.ask(TARGETS[value])
        elif kind == "say":
            self.say(value)
        else:
            self.before.clear()
            self.change(kind, value)

    def say(self, block: dict[str, Any] | None) -> None:
        """Something more in the turn of the user; None is for an entry of the system."""
        if block is None:
            self.messages.append({"role": "system", "content": "remember"})
            return
        turn = next(message for message in reversed(self.messages) if message["role"] == "user")
        if isinstance(turn["content"], str):
            turn["content"] = [{"type": "text", "text": turn["content"]}]
        turn["content"].append(block)

    def change(self, kind: str, value: Any) -> None:
        if kind == "edit":
            self.edit = EDITS[value]
        elif kind == "lesson":
            gateway = providers(self.edit)["gateway"]
            self.knowledge.learn(gateway, "messages", MODEL, [LESSONS[value]])
        elif kind == "forget":
            self.knowledge.lessons.forget("gateway")
        else:
            self.knowledge, self.forgotten = Knowledge(), True
        self.knowledge.configure(providers(self.edit))

    def ask(self, target: tuple[str, str]) -> None:
        provider = providers(self.edit)[target[0]]
        mint = BoundMint(provider.name)
        try:
            request, mark = self.sent(provider, target[1], mint)
        except Refusal as refusal:
            assert self.forgotten, refusal.message
            bound = "bound to" in refusal.message
            self.knowledge.refused_thoughts(provider, self.body(), self.mark, bound=bound)
            self.before.clear()
            request, mark = self.sent(provider, target[1], mint)
        self.check_grown(target, request)
        self.thoughts += 1
        thought = f"thought {self.thoughts}"
        block = {"type": "thinking", "thinking": thought, "signature": mint.seal(request, thought)}
        call = {"type": "tool_use", "id": f"toolu_{self.thoughts}", "name": "Bash", "input": {}}
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": "done"}
        self.knowledge.minted(provider, [fingerprint(block["signature"], thought)], mark=mark)
        self.messages += [{"role": "assistant", "content": [block, call]}, {"role": "user", "content": [result]}]

    def body(self) -> bytes:
        body = {"model": MODEL, "max_tokens": 64000, "system": "be brief", "thinking": {"type": "adaptive"}}
        return json.dumps({**body, "messages": self.messages}).encode()

    def sent(self, provider: Provider, account: str, mint: BoundMint) -> tuple[RecordedRequest, str]:
        """What is sent, and what its answer's thinking is bound to. Raises Refusal as the provider does."""
        lessons = self.knowledge.known(provider, "messages", MODEL)
        shaping = self.knowledge.shaping(provider, MODEL, lessons, account=account)
        self.mark = shaping.bound_to
        subject = Subject(
            MODEL,
            MODEL,
            minted_by=shaping.minted_by,
            others_answer=shaping.others_answer,
            signs_as=provider.signs_as,
            bound_to=shaping.bound_to,
        )
        body = self.body()
        done = rewrite(body, msgspec.json.decode(body, type=dict[str, msgspec.Raw]), shaping.rules, subject)
        headers = [("x-api-key", account), ("anthropic-beta", ",".join(done.betas))]
        request = RecordedRequest("POST", "/v1/messages", headers, done.body)
        mint.check(request)
        reasons = {each["reason"] for each in mint.transformations(request)}
        assert self.forgotten or not reasons, "it was left to the server to drop what does not fit"
        return request, shaping.bound_to

    def check_grown(self, target: tuple[str, str], request: RecordedRequest) -> None:
        body = request.json
        now = [_unmarked(body.get("system")), *_unmarked(_items(body["messages"]))]
        last = self.before.get(target, [])
        assert now[: len(last)] == last, "the conversation was changed where it had been sent before"
        self.before[target] = now


asks = st.integers(0, len(TARGETS) - 1).map(lambda number: ("ask", number))
says = st.sampled_from([DOCUMENT, IMAGE, None, {"type": "text", "text": "go on"}]).map(lambda block: ("say", block))
changes = st.one_of(
    st.integers(0, len(EDITS) - 1).map(lambda number: ("edit", number)),
    st.integers(0, len(LESSONS) - 1).map(lambda number: ("lesson", number)),
    st.sampled_from([("forget", None), ("restart", None)]),
)


def played(steps: Iterable[Step]) -> World:
    world = World()
    for step in steps:
        world.do(step)
    return world


@settings(max_examples=250)
@given(st.lists(asks | asks | says | changes, max_size=14))
@example([("ask", 0), ("edit", 1), ("ask", 0), ("ask", 0)])
@example([("ask", 0), ("ask", 1), ("ask", 0), ("ask", 1)])
@example([("ask", 3), ("restart", None), ("ask", 0), ("ask", 0)])
@example([("say", None), ("ask", 0), ("edit", 5), ("say", None), ("ask", 0), ("say", None), ("ask", 0)])
@example([("ask", 2), ("lesson", 2), ("ask", 2), ("forget", None), ("ask", 2)])
def test_no_thinking_is_ever_refused(steps: list[Step]) -> None:
    """But once after a start without a memory; and nothing that was sent before is changed for no reason."""
    played(steps)
