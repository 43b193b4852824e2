"""Whatever body Anthropic takes: rewritten, it is what the vendor takes, and what was said in it is untouched."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.scripted.vendors import VENDORS
from tests.scripted.vendors.base import check_base
from tests.wire.bodies import bodies, words
from tests.wire.shapes import Body
from tests.wire.test_presets import MODELS, again, is_subsequence, provider
from turnout.settings.rewriting import Rewrite, profiles
from turnout.wire.rewrite import Rewritten, Subject, rewrite

TARGETS = [(name, model) for name, models in MODELS.items() for model in models]

Case = tuple[Body, tuple[str, ...]]

targets = st.sampled_from(TARGETS)
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


def sent(target: tuple[str, str], case: Case, separators: tuple[str, str], ascii: bool) -> tuple[bytes, Rewritten]:
    name, model = target
    body, betas = case
    written = json.dumps(body, separators=separators, ensure_ascii=ascii).encode()
    return written, again(name, written, subject_of(model, betas, signs_as=provider(name).signs_as))


relaxed = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])


@relaxed
@given(targets, bodies(), spacings, st.booleans())
def test_the_vendor_takes_it(target: tuple[str, str], case: Case, spacing: tuple[str, str], ascii: bool) -> None:
    _, done = sent(target, case, spacing, ascii)
    VENDORS[target[0]].check(json.loads(done.body), done.betas)


@pytest.mark.parametrize("name, model", TARGETS)
@settings(relaxed, max_examples=8)
@given(bodies())
def test_every_vendor_takes_some_of_everything(name: str, model: str, case: Case) -> None:
    _, done = sent((name, model), case, (",", ":"), False)
    VENDORS[name].check(json.loads(done.body), done.betas)


@relaxed
@given(targets, bodies(), spacings, st.booleans())
def test_a_second_pass_changes_nothing(
    target: tuple[str, str], case: Case, spacing: tuple[str, str], ascii: bool
) -> None:
    _, once = sent(target, case, spacing, ascii)
    twice = again(target[0], once.body, subject_of(target[1], once.betas, signs_as=provider(target[0]).signs_as))
    assert twice.body is once.body, twice.rules
    assert (twice.betas, twice.rules) == (once.betas, ())


@relaxed
@given(targets, bodies(), spacings, st.booleans())
def test_what_was_said_stays_as_it_was_and_where_it_was(
    target: tuple[str, str], case: Case, spacing: tuple[str, str], ascii: bool
) -> None:
    _, done = sent(target, case, spacing, ascii)
    before, after = said(case[0]), said(json.loads(done.body))
    assert is_subsequence(before, after)
    for kind in ("tool_use", "tool_result"):
        assert [each for each in before if each[0] == kind] == [each for each in after if each[0] == kind]


@relaxed
@given(targets, bodies(), spacings, st.booleans())
def test_the_inputs_of_tools_keep_their_bytes(
    target: tuple[str, str], case: Case, spacing: tuple[str, str], ascii: bool
) -> None:
    written, done = sent(target, case, spacing, ascii)
    assert inputs(done.body) == inputs(written)


@relaxed
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


@relaxed
@given(bodies())
def test_the_strategies_make_what_anthropic_takes(case: Case) -> None:
    """A body that breaks the plain rules of the API would prove nothing about rewriting."""
    check_base({**case[0], "max_tokens": max(case[0]["max_tokens"], 1)})  # 0 is Anthropic's own
