"""Whatever body Anthropic takes: rewritten, it is what the vendor takes, and what was said in it is untouched."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dialects.messages.bodies import bodies, words
from tests.dialects.messages.shapes import Body
from tests.dialects.messages.test_presets import MODELS, again, is_subsequence, provider
from turnout.dialects.messages.rewrite import Rewritten, Subject, rewrite
from turnout.settings.rewriting import Rewrite, profiles
from turnout.testing.vendors import VENDORS
from turnout.testing.vendors.base import check_base

TARGETS = [(name, model) for name, models in MODELS.items() for model in models]

Case = tuple[Body, tuple[str, ...]]

spacings = st.sampled_from([(", ", ": "), (",", ":"), (" , ", " :  ")])


class Call(msgspec.Struct):
    """A content block of which the input stays as it was written."""

    type: str = ""
    input: msgspec.Raw = msgspec.Raw()


class Message(msgspec.Struct):
    content: list[Call] | str


class Conversation(msgspec.Struct):
    messages: list[Message]


def inputs(body: bytes) -> list[bytes]:
    """The bytes of the inputs of all tool calls."""
    found = msgspec.json.decode(body, type=Conversation)
    blocks = [block for message in found.messages if not isinstance(message.content, str) for block in message.content]
    return [bytes(block.input) for block in blocks if block.type == "tool_use"]


def said(body: Body) -> list[tuple[str, str]]:
    """What user and assistant said and called, in order."""
    return [each for message in body["messages"] if message["role"] != "system" for each in _said(message)]


def _said(holder: dict[str, Any]) -> list[tuple[str, str]]:
    content, found = holder.get("content", ""), []
    if isinstance(content, str):
        return [("text", content)]
    for block in content:
        match block["type"]:
            case "text":
                found.append(("text", block["text"]))
            case "tool_use":
                found.append(("tool_use", block["id"]))
            case "tool_result":
                found += [("tool_result", block["tool_use_id"]), *_said(block)]
    return found


def subject_of(model: str, betas: tuple[str, ...], *, signs_as: str = "anthropic") -> Subject:
    """Of three thinking blocks one is the target's own, one another's, one nobody's that is known."""

    def minted_by(fingerprint: str) -> str | None:
        return (signs_as, "another", None)[sum(fingerprint.encode()) % 3]

    return Subject(model=model, client_model="claude-opus-4-6", betas=betas, signs_as=signs_as, minted_by=minted_by)


def check_anthropic_takes(body: Body) -> None:
    """A body that breaks the plain rules of the API would prove nothing about rewriting."""
    check_base({**body, "max_tokens": max(body["max_tokens"], 1)})  # 0 is Anthropic's own


def check_said_as_before(body: Body, rewritten: Body) -> None:
    before, after = said(body), said(rewritten)
    assert is_subsequence(before, after), "something that was said is gone, changed or elsewhere"
    for kind in ("tool_use", "tool_result"):
        calls, kept = ([each for each in all_of_it if each[0] == kind] for all_of_it in (before, after))
        assert calls == kept, f"there are other blocks of {kind} than before"


def check_second_pass(name: str, model: str, once: Rewritten) -> None:
    twice = again(name, once.body, subject_of(model, once.betas, signs_as=provider(name).signs_as))
    assert twice.body is once.body, f"a second pass changes the body: {twice.rules}"
    assert twice.betas == once.betas, "a second pass changes the betas"
    assert twice.rules == (), "a second pass tells of changes that it does not make"


@pytest.mark.parametrize("name, model", TARGETS)
@settings(max_examples=13)
@given(bodies(), spacings, st.booleans())
def test_the_vendor_takes_what_was_said(
    name: str, model: str, case: Case, spacing: tuple[str, str], ascii: bool
) -> None:
    """What is sent is what the vendor takes, with all that was said, byte for byte in inputs; and it is final."""
    body, betas = case
    check_anthropic_takes(body)
    written = json.dumps(body, separators=spacing, ensure_ascii=ascii).encode()
    done = again(name, written, subject_of(model, betas, signs_as=provider(name).signs_as))
    after = json.loads(done.body)
    VENDORS[name].check(after, done.betas)
    check_said_as_before(body, after)
    assert inputs(done.body) == inputs(written), "the bytes of a tool's input have changed"
    check_second_pass(name, model, done)


@given(st.sampled_from(sorted(profiles())), bodies(), words)
def test_the_profiles_alone_keep_what_was_said(profile: str, case: Case, prepended: str) -> None:
    """Without a preset, and with a prompt put before; `none` changes no byte but those of foreign thinking."""
    body, betas = case
    written = json.dumps(body).encode()
    fields = msgspec.json.decode(written, type=dict[str, msgspec.Raw])
    rules = Rewrite.model_validate({**profiles()[profile], "prepend_system": prepended})
    done = rewrite(written, fields, rules, subject_of("claude-opus-4-6", betas))
    assert is_subsequence(said(body), said(json.loads(done.body)))
    if profile == "none":
        subject = Subject(model="claude-opus-4-6", client_model="claude-opus-4-6", betas=betas)
        assert rewrite(written, fields, Rewrite(), subject).body is written
