"""What answers have taught: which rules follow from it, and what of it outlives the process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from turnout.dialects.messages.refusals import Lesson
from turnout.dialects.messages.signatures import REFUSED, fingerprint
from turnout.journey.knowledge import Knowledge
from turnout.settings.model import Provider
from turnout.settings.rewriting import Rewrite

DROP = Lesson("drop", "metadata")
LIMIT = Lesson("max_tokens", 8192)


def provider(name: str = "mine", **fields: Any) -> Provider:
    return Provider.model_validate({"name": name, "base_url": "http://127.0.0.1:1/a", **fields})


def knowing(*providers: Provider) -> Knowledge:
    found = Knowledge()
    found.configure({each.name: each for each in providers})
    return found


def test_lessons_become_rules_of_that_model_and_endpoint_alone() -> None:
    rules = Rewrite.model_validate({"drop": ["speed"], "models": {"big*": {"images": "note"}}})
    mine = provider(rewrite=rules)
    knowledge = knowing(mine)
    knowledge.lessons.learn("mine", "messages", "Big-1", [DROP, LIMIT])
    shaped = knowledge.shaping(mine, "Big-1", knowledge.known(mine, "messages", "Big-1")).rules
    assert (shaped.drop, shaped.max_tokens, shaped.images) == (("speed", "metadata"), 8192, "note")
    assert knowledge.known(mine, "count_tokens", "Big-1") == knowledge.known(mine, "messages", "small") == ()
    assert knowledge.shaping(mine, "small").rules is rules


def test_a_provider_that_does_not_learn_uses_no_lessons() -> None:
    first = provider(first_party=True)
    knowledge = knowing(first)
    knowledge.lessons.learn("mine", "messages", "m", [DROP])
    assert knowledge.known(first, "messages", "m") == ()


def test_after_a_refused_signature_only_known_ones_go() -> None:
    mine = provider(rewrite=Rewrite())
    shaping = knowing(mine).shaping(mine, "m", only_own=True)
    assert shaping.rules.signatures == "own"
    assert shaping.minted_by is not None


def test_the_ledger_is_asked_only_when_another_provider_has_signed() -> None:
    """So that requests to Anthropic are not opened where nobody else ever answers."""
    mine, other = provider(first_party=True), provider("other", rewrite=Rewrite())
    knowledge = knowing(mine, other)
    knowledge.minted(mine, ["a" * 16])
    assert knowledge.shaping(mine, "m").minted_by is None
    assert knowledge.shaping(mine, "m").others_answer, "a block without a signature may be the other's"
    assert not knowing(mine).shaping(mine, "m").others_answer
    knowledge.minted(other, ["b" * 16])
    asked = knowledge.shaping(mine, "m").minted_by
    assert asked is not None
    assert (asked("a" * 16), asked("b" * 16), asked("c" * 16)) == ("anthropic", "other", None)


async def test_what_is_learned_is_kept_for_the_next_run(tmp_path: Path) -> None:
    mine = provider()
    knowledge = knowing(mine)
    knowledge.keep_in(tmp_path / "state", signatures=True)
    assert knowledge.learn(mine, "messages", "m", [DROP, LIMIT]) == (DROP, LIMIT)
    assert knowledge.learn(mine, "messages", "m", [DROP]) == ()
    knowledge.minted(mine, ["a" * 16])
    await knowledge.written()
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "state").iterdir()} == {0o600}
    assert {"learned.json", "signatures.json"} < {file.name for file in (tmp_path / "state").iterdir()}
    later = knowing(mine)
    later.keep_in(tmp_path / "state", signatures=True)
    assert later.lessons.known("mine", "messages", "m") == (DROP, LIMIT)
    assert later.signatures.minted_by("a" * 16) == "mine"
    assert {file.name for file in (tmp_path / "state").iterdir()} >= {"learned.json", "signatures.json"}
    without = knowing(mine)
    without.keep_in(tmp_path / "state", signatures=False)
    assert without.signatures.minted_by("a" * 16) is None, "what is not to be kept is not read"


def test_rules_are_kept_for_so_many_models_only() -> None:
    """Their names come from clients."""
    mine = provider(rewrite=Rewrite(max_tokens=8192))
    knowledge = knowing(mine)
    for number in range(600):
        assert knowledge.shaping(mine, f"m{number}").rules.max_tokens == 8192
        assert len(knowledge._rules) == number % 256 + 1


async def test_signatures_are_kept_only_when_asked_for(tmp_path: Path) -> None:
    knowledge = knowing(provider())
    knowledge.keep_in(tmp_path / "state", signatures=False)
    knowledge.minted(provider(), ["a" * 16])
    await knowledge.written()
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("edit", [{"base_url": "http://127.0.0.1:2/a"}, {"kind": "openai"}])
async def test_another_address_or_kind_starts_anew(tmp_path: Path, edit: dict[str, str]) -> None:
    mine, other = provider(), provider("other")
    knowledge = knowing(mine, other)
    knowledge.keep_in(tmp_path / "state", signatures=False)
    for each in (mine, other):
        knowledge.learn(each, "messages", "m", [DROP])
    knowledge.configure({"mine": provider(**edit), "other": other})
    assert knowledge.lessons.known("mine", "messages", "m") == ()
    assert knowledge.lessons.known("other", "messages", "m") == (DROP,)
    await knowledge.written()
    kept = json.loads((tmp_path / "state" / "learned.json").read_text())
    assert [entry["provider"] for entry in kept["lessons"]] == ["other"]


def test_an_edit_outdates_what_it_contradicts() -> None:
    """Pasting one of the suggested lines does not cost the other lessons."""
    knowledge = knowing(provider())
    knowledge.lessons.learn("mine", "messages", "m", [DROP, LIMIT])
    knowledge.configure({"mine": provider(rewrite=Rewrite(drop=("speed",)))})
    assert knowledge.lessons.known("mine", "messages", "m") == (DROP, LIMIT)
    knowledge.configure({"mine": provider(rewrite=Rewrite(drop=("speed",), max_tokens=50_000))})
    assert knowledge.lessons.known("mine", "messages", "m") == (DROP,)
    knowledge.lessons.learn("mine", "messages", "m", [LIMIT])
    more = Rewrite.model_validate({"drop": ["speed"], "max_tokens": 50_000, "models": {"m": {"max_tokens": 9000}}})
    knowledge.configure({"mine": provider(rewrite=more)})
    assert knowledge.lessons.known("mine", "messages", "m") == (DROP,), "it may be edited for single models"
    knowledge.configure({})
    assert knowledge.lessons.known("mine", "messages", "m") == ()


def test_an_edit_of_the_rules_counts_at_once() -> None:
    """Also for a model whose rules have been asked for before."""
    for edited in ({"max_tokens": 9000}, {"models": {"m": {"max_tokens": 9000}}}):
        before, after = (provider(rewrite=Rewrite.model_validate(rules)) for rules in ({"max_tokens": 8000}, edited))
        knowledge = knowing(before)
        assert knowledge.shaping(before, "m", (DROP,)).rules.max_tokens == 8000
        assert knowledge.shaping(before, "m", (DROP,)).rules is knowledge.shaping(before, "m", (DROP,)).rules
        knowledge.configure({"mine": after})
        assert knowledge.shaping(after, "m", (DROP,)).rules.max_tokens == 9000
        assert knowledge.shaping(after, "m").rules.max_tokens == 9000


def test_what_the_window_leaves_for_the_answer_limits_this_request_alone() -> None:
    mine = provider(rewrite=Rewrite(max_tokens=8192))
    knowledge = knowing(mine)
    assert knowledge.shaping(mine, "m", output_limit=2000).rules.max_tokens == 2000
    assert knowledge.shaping(mine, "m", output_limit=20_000).rules.max_tokens == 8192
    assert knowledge.shaping(mine, "m").rules.max_tokens == 8192


async def test_a_lesson_that_did_not_help_is_forgotten(tmp_path: Path) -> None:
    mine = provider()
    knowledge = knowing(mine)
    knowledge.keep_in(tmp_path / "state", signatures=False)
    knowledge.learn(mine, "messages", "m", [DROP, LIMIT])
    knowledge.unlearn(mine, "messages", "m", [DROP])
    assert knowledge.known(mine, "messages", "m") == (LIMIT,)
    await knowledge.written()
    kept = json.loads((tmp_path / "state" / "learned.json").read_text())
    assert [entry["rule"] for entry in kept["lessons"]] == ["max_tokens"]


async def test_two_turnouts_keep_what_both_have_learned(tmp_path: Path) -> None:
    mine = provider()
    first, second = knowing(mine), knowing(mine)
    for each in (first, second):
        each.keep_in(tmp_path / "state", signatures=True)
    for each, letter in ((first, "a"), (second, "b"), (first, "c"), (second, "d")):
        each.learn(mine, "messages", "m", [Lesson("drop", letter)])
        each.minted(mine, [letter * 16])
    for each in (first, second):
        await each.written()
    later = knowing(mine)
    later.keep_in(tmp_path / "state", signatures=True)
    assert {str(lesson.value) for lesson in later.known(mine, "messages", "m")} == set("abcd")
    assert all(later.signatures.minted_by(letter * 16) == "mine" for letter in "abcd")


def test_what_was_learned_last_is_kept_when_the_loop_is_gone(tmp_path: Path) -> None:
    """mitmproxy's `done` is synchronous, and waits for no task."""
    mine = provider()
    knowledge = knowing(mine)
    knowledge.keep_in(tmp_path / "state", signatures=True)
    knowledge.learn(mine, "messages", "m", [DROP])
    knowledge.minted(mine, ["a" * 16])
    knowledge.flush()
    later = knowing(mine)
    later.keep_in(tmp_path / "state", signatures=True)
    assert later.known(mine, "messages", "m") == (DROP,)
    assert later.signatures.minted_by("a" * 16) == "mine"


# --- bound thinking ---

BINDS = "claude-opus-5-5"


def test_what_an_attempt_binds_its_thinking_to() -> None:
    """The account and what is done to the conversation; nothing for a model that binds nothing."""
    plain, edited = provider(first_party=True), provider(first_party=True, rewrite=Rewrite(prepend_system="a"))
    knowledge = knowing(plain)
    ours = knowledge.shaping(plain, BINDS, account="one").bound_to
    others = [
        knowledge.shaping(plain, BINDS, account="two"),
        knowledge.shaping(plain, BINDS, (Lesson("refused_blocks", "document"),), account="one"),
        knowing(edited).shaping(edited, BINDS, account="one"),
    ]
    assert ours and ours not in [shaping.bound_to for shaping in others]
    for harmless in (LIMIT, DROP):
        assert knowledge.shaping(plain, BINDS, (harmless,), account="one").bound_to == ours
    assert knowledge.shaping(plain, BINDS, account="one", only_own=True, output_limit=9).bound_to == ours
    assert knowledge.shaping(plain, "claude-opus-5", account="one").bound_to == ""


def test_the_ledger_is_not_asked_while_all_thinking_is_of_one_account() -> None:
    first = provider(first_party=True)
    knowledge = knowing(first, provider("other"))
    for account, asked in (("one", False), ("two", True)):
        knowledge.minted(first, [account[0] * 16], mark=knowledge.shaping(first, BINDS, account=account).bound_to)
        assert (knowledge.shaping(first, BINDS, account="one").minted_by is not None) is asked
    assert knowledge.shaping(first, "claude-opus-5", account="one").minted_by is None


def test_whose_thinking_is_to_blame_for_a_refusal() -> None:
    first, other = provider(first_party=True), provider("other")
    knowledge = knowing(first, other)
    one, two = (knowledge.shaping(first, BINDS, account=account).bound_to for account in ("one", "two"))
    names = {"own": one, "elsewhere": two, "foreign": "other"}
    for name, mark in names.items():
        knowledge.minted(other if mark == "other" else first, [fingerprint(name, "")], mark=mark)

    def refused(*blocks: str, bound: bool = False) -> list[str]:
        content = [{"type": "thinking", "thinking": "", "signature": name} for name in blocks]
        body = json.dumps({"messages": [{"role": "assistant", "content": content}]}).encode()
        knowledge.refused_thoughts(first, body, one, bound=bound)
        return [name for name in blocks if knowledge.signatures.minted_by(fingerprint(name, "")) == REFUSED]

    assert refused("own", "elsewhere", "foreign", "unknown") == ["unknown"]
    assert refused("own", "elsewhere", "foreign", "another", bound=True) == ["own", "another"]
    assert refused("elsewhere", "foreign") == []
