"""What becomes of system roles, foreign thinking, unknown blocks and images."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dialects.messages.rewrite.support import (
    MODEL,
    assistant,
    body_of,
    call,
    reminder,
    result,
    result_of,
    rewritten,
    said,
    system,
    thought,
    user,
)
from tests.dialects.messages.shapes import IN_WORDS
from turnout.dialects.messages.rewrite import Subject
from turnout.dialects.messages.rewrite.flatten import IMAGE_NOTE
from turnout.dialects.messages.signatures import fingerprint

MARK = {"type": "ephemeral"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}


@pytest.mark.parametrize(
    ("messages", "expected", "prompt"),
    [
        ([system("S"), user("U")], [user("U")], [said("S")]),
        ([user("U"), system("S")], [user(said("U"), reminder("S"))], None),
        (
            [user("U"), assistant("A"), system("S"), user("V")],
            [user("U"), assistant("A"), user(reminder("S"), said("V"))],
            None,
        ),
        (
            [user("U"), assistant(call("a")), system("S"), user(result("a"), said("V"))],
            [user("U"), assistant(call("a")), user(result("a"), reminder("S"), said("V"))],
            None,
        ),
        (
            [user("U"), assistant(call("a")), system("S"), user(result("a"))],
            [user("U"), assistant(call("a")), user(result("a"), reminder("S"))],
            None,
        ),
        (
            [user("U"), assistant("A"), system("S"), assistant("B")],
            [user("U"), assistant("A"), user(reminder("S")), assistant("B")],
            None,
        ),
        ([user("U"), assistant("A"), system("S")], [user("U"), assistant("A"), user(reminder("S"))], None),
        ([system("S"), system("T")], [user(reminder("S"), reminder("T"))], None),
        ([system(""), user("U")], [user("U")], None),
        (
            [user("U"), {"role": "system", "content": [said("S", cache_control=MARK)]}],
            [user(said("U"), {**reminder("S"), "cache_control": MARK})],
            None,
        ),
    ],
)
def test_a_system_role_becomes_user_text_at_its_place(messages: Any, expected: Any, prompt: Any) -> None:
    found = result_of(body_of(messages=messages), system_role="user")
    assert found["messages"] == expected
    assert found.get("system") == prompt


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (None, [said("S"), said("T")]),
        ("P", [said("P"), said("S"), said("T")]),
        ("", [said("S"), said("T")]),
        ([said("P", cache_control=MARK)], [said("P", cache_control=MARK), said("S"), said("T")]),
    ],
)
def test_system_roles_are_hoisted_into_the_prompt(prompt: Any, expected: Any) -> None:
    messages = [system("S"), user("U"), assistant("A"), system("T"), user("V")]
    found = result_of(body_of(messages=messages, system=prompt), system_role="hoist")
    assert found["messages"] == [user("U"), assistant("A"), user("V")]
    assert found["system"] == expected


def test_the_attribution_block_goes_for_those_who_ask() -> None:
    blocks = [said("x-anthropic-billing-header: cc_version=2;"), said("P", cache_control=MARK)]
    assert result_of(body_of(system=blocks), attribution="drop")["system"] == blocks[1:]
    assert "system" not in result_of(body_of(system=blocks[:1]), attribution="drop")
    assert rewritten(body_of(system=blocks)).rules == ()
    assert rewritten(body_of(system="x-anthropic"), attribution="drop").rules == ()


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [(None, [said("Be brief.")]), ("P", "Be brief.\n\nP"), ([said("P")], [said("Be brief."), said("P")])],
)
def test_a_text_is_put_before_the_prompt_once(prompt: Any, expected: Any) -> None:
    first = result_of(body_of(system=prompt), prepend_system="Be brief.")
    assert first["system"] == expected
    assert rewritten(first, prepend_system="Be brief.").rules == ()


OURS, THEIRS, UNKNOWN, UNSIGNED = "ours", "theirs", "unknown", ""
LEDGER = {fingerprint(OURS, ""): "anthropic", fingerprint(THEIRS, ""): "minimax"}


@pytest.mark.parametrize(
    ("signatures", "signs_as", "kept"),
    [
        ("keep", "anthropic", [OURS, UNKNOWN]),
        ("own", "anthropic", [OURS]),
        ("keep", "minimax", [THEIRS, UNKNOWN, UNSIGNED]),
        ("own", "minimax", [THEIRS]),
        ("own", "zai", []),
    ],
)
def test_only_thinking_that_another_provider_signed_is_dropped(signatures: str, signs_as: str, kept: Any) -> None:
    blocks = [thought("t", each) for each in (OURS, THEIRS, UNKNOWN, UNSIGNED)]
    body = body_of(messages=[user("U"), assistant(*blocks, said("A"), call("a")), user(result("a"))])
    subject = Subject(MODEL, MODEL, minted_by=LEDGER.get, signs_as=signs_as)
    found = result_of(body, subject, signatures=signatures)
    assert found["messages"][1]["content"] == [*(thought("t", each) for each in kept), said("A"), call("a")]


def test_a_message_of_nothing_but_foreign_thinking_goes() -> None:
    body = body_of(messages=[user("U"), assistant(thought("t", THEIRS)), user("V")])
    found = result_of(body, Subject(MODEL, MODEL, minted_by=LEDGER.get))
    assert found["messages"] == [user(said("U"), said("V"))], "turns of the same role side by side become one"


def test_without_a_ledger_anthropic_gets_its_bytes() -> None:
    body = body_of(messages=[user("U"), assistant(thought("t", THEIRS), said("A"))])
    assert rewritten(body, signatures="keep").rules == ()


@pytest.mark.parametrize(("block", "text"), IN_WORDS)
def test_a_block_of_an_unknown_type_becomes_text(block: dict[str, Any], text: str) -> None:
    body = body_of(messages=[user({**block, "cache_control": MARK}), assistant(call("a")), user(result("a", [block]))])
    found = result_of(body, blocks=["text", "tool_use", "tool_result"])
    assert found["messages"][0]["content"] == [said(text, cache_control=MARK)]
    assert found["messages"][2]["content"] == [result("a", [said(text)])]


def test_redacted_thinking_is_dropped_not_told() -> None:
    body = body_of(messages=[user("U"), assistant({"type": "redacted_thinking", "data": "x"}, said("A")), user("V")])
    assert result_of(body, blocks=["text"])["messages"][1]["content"] == [said("A")]


def test_a_refused_type_becomes_text_although_all_are_known() -> None:
    block = {"type": "search_result", "source": "s", "title": "t", "content": []}
    found = result_of(body_of(messages=[user(block, IMAGE)]), refused_blocks=["search_result"])
    assert found["messages"][0]["content"] == [said("t\ns"), IMAGE]


def test_images_become_a_note_where_a_model_reads_text_only() -> None:
    body = body_of(messages=[user(IMAGE), assistant(call("a")), user(result("a", [said("x"), IMAGE]))])
    found = result_of(body, images="note")
    assert found["messages"][0]["content"] == [said(IMAGE_NOTE)]
    assert found["messages"][2]["content"] == [result("a", [said("x"), said(IMAGE_NOTE)])]


@pytest.mark.parametrize(
    ("messages", "thinking"),
    [
        ([user("U"), assistant(thought("t", THEIRS), call("a")), user(result("a"))], "disabled"),
        ([user("U"), assistant(thought("t", THEIRS), call("a")), user(result("a"), said("x"))], "disabled"),
        (
            [
                user("U"), assistant(thought("t", THEIRS), call("a")), user(result("a")),
                assistant(thought("t", OURS), call("b")), user(result("b")),
            ],
            "disabled",
        ),
        ([user("U"), assistant(thought("t", THEIRS), said("A")), user("V")], "enabled"),
        (
            [
                user("U"), assistant(thought("t", THEIRS), said("A")), user("V"),
                assistant(thought("t", OURS), call("a")), user(result("a")),
            ],
            "enabled",
        ),
        (
            [
                user("U"), assistant(thought("t", OURS), call("a")), user(result("a")),
                assistant(thought("t", THEIRS), call("b")), user(result("b")),
            ],
            "enabled",
        ),
    ],
)  # fmt: skip
def test_a_turn_that_lost_its_first_thought_goes_on_without_thinking(messages: Any, thinking: str) -> None:
    edits = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
    fields = {"thinking": {"type": "enabled", "budget_tokens": 2000}, "context_management": edits}
    found = result_of(body_of(messages=messages, **fields), Subject(MODEL, MODEL, minted_by=LEDGER.get))
    assert found["thinking"]["type"] == thinking
    assert ("context_management" in found) == (thinking == "enabled")


def test_adaptive_thinking_needs_no_first_thought() -> None:
    messages = [user("U"), assistant(thought("t", THEIRS), call("a")), user(result("a"))]
    body = body_of(messages=messages, thinking={"type": "adaptive"})
    assert result_of(body, Subject(MODEL, MODEL, minted_by=LEDGER.get))["thinking"] == {"type": "adaptive"}


@pytest.mark.parametrize("signature", ["", "chat.eyJjYWxscyI6e319"])
def test_unsigned_thinking_never_reaches_anthropic(signature: str) -> None:
    """Also with an empty ledger, after a restart: Anthropic signs every block of its own, and a translation's signature
    is none of it."""
    body = body_of(messages=[user("U"), assistant(thought("t", signature), said("A")), user("V")])
    sent = json.dumps(body, separators=(",", ":")).encode()
    found = json.loads(rewritten(sent, None, Subject(MODEL, MODEL, others_answer=True)).body)
    assert found["messages"][1]["content"] == [said("A")]
    assert rewritten(sent, None, Subject(MODEL, MODEL, others_answer=True, signs_as="other")).rules == ()


def test_a_turn_of_the_user_is_never_lost() -> None:
    body = body_of(messages=[user({"type": "redacted_thinking", "data": "x"}), assistant("A"), user("V")])
    found = result_of(body, blocks=["text"])
    assert found["messages"][0] == user(said("[What was here cannot be read by this model.]"))


def test_a_long_document_is_not_cut() -> None:
    text = "x" * 300_000
    document = {"type": "document", "source": {"type": "text", "data": text}}
    found = result_of(body_of(messages=[user(document)]), blocks=[])
    assert found["messages"][0]["content"] == [said(text)]


@pytest.mark.parametrize(
    ("fields", "subject"),
    [
        ({"thinking": {"type": "adaptive"}}, Subject("claude-haiku-4-5", "claude-opus-4-8", minted_by=LEDGER.get)),
        ({}, Subject("claude-haiku-4-5", "claude-haiku-4-5", effort="high", minted_by=LEDGER.get)),
    ],
)
def test_thinking_that_rules_bring_stops_as_well(fields: Any, subject: Subject) -> None:
    messages = [user("U"), assistant(thought("t", THEIRS), call("a")), user(result("a")), system("S")]
    found = result_of(body_of(messages=messages, **fields), subject)
    assert found["thinking"] == {"type": "disabled"}
