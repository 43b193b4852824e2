"""What answers have taught: which rules follow from it, and what of it outlives the process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from turnout.journey.knowledge import Knowledge
from turnout.settings.model import Provider
from turnout.settings.rewriting import Rewrite
from turnout.wire.refusal import Lesson

DROP = Lesson("drop", "metadata")
LIMIT = Lesson("max_tokens", 8192)


def provider(name: str = "mine", **fields: Any) -> Provider:
    return Provider.model_validate({"name": name, "base_url": "http://127.0.0.1:1", **fields})


def knowing(*providers: Provider) -> Knowledge:
    found = Knowledge()
    found.configure({each.name: each for each in providers})
    return found


def test_lessons_become_rules_of_that_model_and_endpoint_alone() -> None:
    rules = Rewrite.model_validate({"drop": ["speed"], "models": {"big*": {"images": "note"}}})
    mine = provider(rewrite=rules)
    knowledge = knowing(mine)
    knowledge.lessons.learn("mine", "messages", "Big-1", [DROP, LIMIT])
    shaped = knowledge.shaping(mine, "messages", "Big-1", only_own=False).rules
    assert (shaped.drop, shaped.max_tokens, shaped.images) == (("speed", "metadata"), 8192, "note")
    assert knowledge.shaping(mine, "count_tokens", "Big-1", only_own=False).rules.drop == ("speed",)
    assert knowledge.shaping(mine, "messages", "small", only_own=False).rules is rules


def test_a_provider_that_does_not_learn_uses_no_lessons() -> None:
    first = provider(first_party=True)
    knowledge = knowing(first)
    knowledge.lessons.learn("mine", "messages", "m", [DROP])
    assert knowledge.shaping(first, "messages", "m", only_own=False).rules is first.rewrite


def test_after_a_refused_signature_only_known_ones_go() -> None:
    mine = provider(rewrite=Rewrite())
    shaping = knowing(mine).shaping(mine, "messages", "m", only_own=True)
    assert shaping.rules.signatures == "own"
    assert shaping.minted_by is not None


def test_the_ledger_is_asked_only_when_another_provider_has_signed() -> None:
    """So that requests to Anthropic are not opened where nobody else ever answers."""
    mine, other = provider(first_party=True), provider("other", rewrite=Rewrite())
    knowledge = knowing(mine, other)
    knowledge.minted(mine, ["a" * 16])
    assert knowledge.shaping(mine, "messages", "m", only_own=False).minted_by is None
    knowledge.minted(other, ["b" * 16])
    asked = knowledge.shaping(mine, "messages", "m", only_own=False).minted_by
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
    later = knowing(mine)
    later.keep_in(tmp_path / "state", signatures=True)
    assert later.lessons.known("mine", "messages", "m") == (DROP, LIMIT)
    assert later.signatures.minted_by("a" * 16) == "mine"


async def test_signatures_are_kept_only_when_asked_for(tmp_path: Path) -> None:
    knowledge = knowing(provider())
    knowledge.keep_in(tmp_path / "state", signatures=False)
    knowledge.minted(provider(), ["a" * 16])
    await knowledge.written()
    assert not (tmp_path / "state").exists()


async def test_an_edited_provider_starts_anew(tmp_path: Path) -> None:
    """The line that makes a lesson permanent takes its place."""
    mine, other = provider(), provider("other")
    knowledge = knowing(mine, other)
    knowledge.keep_in(tmp_path / "state", signatures=False)
    for each in (mine, other):
        knowledge.learn(each, "messages", "m", [DROP])
    knowledge.configure({"mine": provider(rewrite=Rewrite(drop=("metadata",))), "other": other})
    assert knowledge.lessons.known("mine", "messages", "m") == ()
    assert knowledge.lessons.known("other", "messages", "m") == (DROP,)
    await knowledge.written()
    kept = json.loads((tmp_path / "state" / "learned.json").read_text())
    assert [entry["provider"] for entry in kept["lessons"]] == ["other"]
