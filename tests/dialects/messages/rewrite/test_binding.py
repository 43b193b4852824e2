"""Models that bind their thinking: what is done to a conversation has a name, and what does not fit is given up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dialects.messages.rewrite.support import (
    assistant,
    body_of,
    result_of,
    rewritten,
    said,
    system,
    thought,
    user,
)
from turnout.dialects.messages.rewrite import Subject
from turnout.dialects.messages.rewrite.binding import is_bound, shape_of
from turnout.dialects.messages.signatures import REFUSED, fingerprint, mark
from turnout.settings.rewriting import Rewrite, profiles

MODEL = "claude-opus-5-5"
OURS, BEFORE = mark("anthropic", "one", "shape"), mark("anthropic", "one", "")
THINKS = {"type": "adaptive"}
BETA = "thinking-binding-controls-2026-08-01"
LEDGER = {
    fingerprint(signature, ""): made
    for signature, made in {
        "b3Vycw==": OURS,
        "YmVmb3Jl": BEFORE,
        "dHdv": mark("anthropic", "two", "shape"),
        "b2xk": "anthropic",
        "Z2xt": "zai",
        "Z3c=": mark("gateway", "one", "shape"),
        "cmVm": REFUSED,
    }.items()
}


@pytest.mark.parametrize(
    ("model", "bound"),
    [
        ("claude-opus-5-5", True),
        ("claude-haiku-5-5-20261001", True),
        ("anthropic/claude-sonnet-5.5", True),
        ("claude-fable-5-1", True),
        ("claude-mythos-5-2", True),
        ("claude-fable-5", False),
        ("claude-opus-5", False),
        ("claude-opus-4-8", False),
        ("glm-5.3", False),
    ],
)
def test_which_models_bind_it(model: str, bound: bool) -> None:
    assert is_bound(model) is bound


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({}, False),
        ({"max_tokens": 8192, "thinking": {"adaptive": "enabled"}, "tool_choice": {"any": "auto"}}, False),
        ({"cache_fields": ["type"], "auto_cache": True}, False),
        ({"drop": ["metadata", "messages[*].content[*].cache_control", "thinking.display"]}, False),
        ({"drop_betas": ["effort-*"]}, False),
        ({"set": {"temperature": 1}}, False),
        ({"drop": ["messages[*].content[*].citations"]}, True),
        ({"set": {"tools[*].strict": True}}, True),
        ({"prepend_system": "Be kind."}, True),
        ({"refused_blocks": ["document"]}, True),
        ({"system_role": "user"}, True),
        ({"thoughts": "filled"}, True),
    ],
)
def test_only_rules_that_touch_the_conversation_have_a_name(table: dict[str, Any], named: bool) -> None:
    assert bool(shape_of(Rewrite.model_validate(table))) is named


def test_other_rules_other_names() -> None:
    tables: list[dict[str, Any]] = [{"prepend_system": text} for text in "ab"] + [profiles()["safe"]]
    names = [shape_of(Rewrite.model_validate(table)) for table in tables]
    assert len({*names}) == 3 and all(len(name) == 8 for name in names)
    assert names[0] == shape_of(Rewrite(prepend_system="a", max_tokens=1)), "no word of it is changed by that"


@pytest.mark.parametrize(
    ("subject", "kept"),
    [
        (Subject(MODEL, MODEL, minted_by=LEDGER.get, bound_to=OURS), ["b3Vycw==", "b2xk", "bmV3"]),
        (Subject(MODEL, MODEL, minted_by=LEDGER.get),
         ["b3Vycw==", "YmVmb3Jl", "dHdv", "b2xk", "bmV3"]),
        (Subject(MODEL, MODEL, minted_by=LEDGER.get, signs_as="gateway"), ["Z3c=", "bmV3"]),
    ],
    ids=["bound", "not bound", "another"],
)  # fmt: skip
def test_whose_blocks_stay(subject: Subject, kept: list[str]) -> None:
    """One that nobody knows stays."""
    signatures = ["b3Vycw==", "YmVmb3Jl", "dHdv", "b2xk", "Z2xt", "Z3c=", "cmVm", "bmV3"]
    blocks = [thought(signature, signature) for signature in signatures]
    body = body_of(messages=[user("a"), assistant(*blocks, said("b")), user("c")])
    found = result_of(body, subject)["messages"][1]["content"][:-1]
    assert [block["signature"] for block in found] == kept


def bound(thinking: Any = THINKS, messages: Any = (), model: str = MODEL, **table: Any) -> Any:
    talk = [user("a"), assistant(thought("hm"), said("b")), user("c")]
    body = body_of(model=model, thinking=thinking, messages=messages or talk)
    done = rewritten(body, None, Subject(model, model), **table)
    return json.loads(done.body).get("thinking", {}).get("block_binding"), done.betas


CHANGED = {"prepend_system": "Be kind."}


def test_what_rules_have_changed_is_given_up() -> None:
    assert bound(**CHANGED) == ({"prefix_mismatch_behavior": "drop_block"}, (BETA,))


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"set": {"max_tokens": 9}},
        {**CHANGED, "messages": [user("a"), assistant("b"), user("c")]},
        {**CHANGED, "model": "claude-opus-5"},
        {**CHANGED, "thinking": {"type": "disabled"}},
        {**CHANGED, "thinking": None},
        {**CHANGED, "drop_betas": ["thinking-binding-controls-*"]},
    ],
    ids=["unchanged", "elsewhere", "no thoughts", "not bound", "disabled", "absent", "not known"],
)
def test_where_there_is_nothing_to_give_up(case: dict[str, Any]) -> None:
    assert bound(**case) == (None, ())


def test_what_the_client_says_itself_stays() -> None:
    asked = {"prefix_mismatch_behavior": "error"}
    assert bound({**THINKS, "block_binding": asked}, **CHANGED) == (asked, ())


def test_a_prompt_that_thinking_is_bound_to_does_not_grow() -> None:
    messages = [system("one"), user("a"), system("two"), assistant("b"), system("three"), user("c")]
    found = result_of(body_of(messages=messages), Subject(MODEL, MODEL), system_role="hoist")
    assert [block["text"] for block in found["system"]] == ["one"]
    grown = result_of(body_of(messages=messages), Subject("claude-opus-5", MODEL), system_role="hoist")
    assert [block["text"] for block in grown["system"]] == ["one", "two", "three"]
