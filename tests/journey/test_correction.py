"""What a refusal leads to: the same target again without it, another one, or the end."""

from __future__ import annotations

import json
import logging

import pytest

from tests.journey.scenery import Scene, candidate_of, provider
from turnout.dialects.messages.refusals import Lessons, Overflow, Refusal, SignatureRefused
from turnout.dialects.messages.refusals.lesson import Lesson
from turnout.journey.correction import MOST_CORRECTIONS, SLACK, SMALLEST_ANSWER, correct, described
from turnout.journey.knowledge import Knowledge
from turnout.journey.state import Journey, Stop

FIRST = provider("first", context_lengths={"*": 100_000})
METADATA, SPEED = Lesson("drop", "metadata"), Lesson("drop", "speed")


def opened(scene: Scene, *others: str) -> Journey:
    """A journey whose first target is being tried; further targets are written `name` or `name:window`."""
    more = []
    for other in others:
        name, _, window = other.partition(":")
        more.append(provider(name, context_lengths={"*": int(window)} if window else {}))
    scene.configure(FIRST, *more)
    journey = scene.open()
    journey.stop = Stop(candidate_of(FIRST))
    journey.tried.add(journey.stop.candidate.key)
    return journey


def corrected(scene: Scene, journey: Journey, refusal: Refusal) -> str:
    return correct(journey, journey.here.candidate, refusal, scene.dispatcher.knowledge).action


def known(scene: Scene) -> tuple[Lesson, ...]:
    knowledge: Knowledge = scene.dispatcher.knowledge
    return knowledge.known(FIRST, "messages", "m")


# --- lessons ---


def test_a_lesson_is_learned_and_told(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    journey = opened(scene)
    with caplog.at_level(logging.WARNING, "turnout"):
        assert corrected(scene, journey, Lessons((METADATA, SPEED))) == "again"
    assert known(scene) == (METADATA, SPEED) and journey.corrections == 1
    assert journey.exchange.learned == ('rewrite.drop = ["metadata"]', 'rewrite.drop = ["speed"]')
    assert [record.message for record in caplog.records] == [
        f'first refused a part of the request. For 24 h this is in force: [providers.first] rewrite.drop = ["{name}"]'
        for name in ("metadata", "speed")
    ]


def test_what_another_request_has_learned_meanwhile_is_worth_a_try(scene: Scene) -> None:
    journey = opened(scene)
    scene.dispatcher.knowledge.learn(FIRST, "messages", "m", [METADATA])
    assert corrected(scene, journey, Lessons((METADATA,))) == "again"
    assert journey.exchange.learned == () and journey.corrections == 1, "nothing new to tell, but it was not heeded"


def test_a_lesson_that_was_heeded_and_did_not_help_goes(scene: Scene) -> None:
    journey = opened(scene)
    scene.dispatcher.knowledge.learn(FIRST, "messages", "m", [METADATA])
    journey.here.lessons = known(scene)
    assert corrected(scene, journey, Lessons((METADATA,))) == "stop"
    assert known(scene) == () and journey.corrections == 0


def test_beside_a_useless_lesson_a_new_one_helps(scene: Scene) -> None:
    journey = opened(scene)
    scene.dispatcher.knowledge.learn(FIRST, "messages", "m", [METADATA])
    journey.here.lessons = known(scene)
    assert corrected(scene, journey, Lessons((METADATA, SPEED))) == "again"
    assert known(scene) == (SPEED,) and journey.exchange.learned == ('rewrite.drop = ["speed"]',)


def test_what_one_request_adds_comes_after_what_it_added_before(scene: Scene) -> None:
    journey = opened(scene)
    corrected(scene, journey, Lessons((SPEED,)))
    journey.here.lessons = known(scene)
    corrected(scene, journey, Lessons((METADATA,)))
    assert journey.exchange.learned == ('rewrite.drop = ["speed"]', 'rewrite.drop = ["metadata"]')


def test_a_provider_that_contradicts_itself_is_not_asked_for_ever(scene: Scene) -> None:
    """It refuses `max_tokens` for the sake of `max_completion_tokens`, and that for the sake of the other."""
    journey = opened(scene)
    new, old = (Lesson("chat.output_limit", word) for word in ("max_completion_tokens", "max_tokens"))
    actions = []
    for lesson in (new, old, new):
        actions.append(corrected(scene, journey, Lessons((lesson,))))
        journey.here.lessons = known(scene)
    assert actions == ["again", "again", "stop"]


def test_corrections_end(scene: Scene) -> None:
    journey = opened(scene)
    fields = [Lessons((Lesson("drop", f"field_{number}"),)) for number in range(MOST_CORRECTIONS + 1)]
    assert [corrected(scene, journey, each) for each in fields] == ["again"] * MOST_CORRECTIONS + ["stop"]
    assert journey.corrections == MOST_CORRECTIONS and len(known(scene)) == MOST_CORRECTIONS
    assert corrected(scene, journey, SignatureRefused()) == "stop" and not journey.only_own_thinking


# --- thinking ---


def learned(scene: Scene, *told: Lesson) -> list[Lesson]:
    """What is known after a model has refused, one after the other, what these lessons would leave out."""
    journey = opened(scene)
    for lesson in told:
        assert corrected(scene, journey, Lessons((lesson,))) == "again"
        journey.here.lessons = known(scene)
    return list(known(scene))


def test_thoughts_that_are_missed_again_are_asked_for_more_firmly(scene: Scene) -> None:
    missing = Lesson("thoughts", "with_calls")
    journey = opened(scene)
    for value in ("with_calls", "always", "filled"):
        assert corrected(scene, journey, Lessons((missing,))) == "again"
        assert known(scene) == (Lesson("thoughts", value),)
        journey.here.lessons = known(scene)
    assert corrected(scene, journey, Lessons((missing,))) == "stop" and known(scene) == ()


def test_of_two_modes_that_are_refused_neither_takes_the_place_of_the_other(scene: Scene) -> None:
    first, second = Lesson("thinking.adaptive", "enabled"), Lesson("thinking.enabled", "adaptive")
    assert learned(scene, first, second) == [first, Lesson("thinking.enabled", "drop")]


@pytest.mark.parametrize(
    ("lesson", "action"),
    [(Lesson("thinking.disabled", "drop"), "next"), (Lesson("thoughts", "filled"), "next"), (METADATA, "stop")],
)
def test_a_model_that_does_not_think_as_asked_leaves_it_to_another(
    scene: Scene, lesson: Lesson, action: str
) -> None:
    journey = opened(scene, "second")
    scene.dispatcher.knowledge.learn(FIRST, "messages", "m", [lesson])
    journey.here.lessons = known(scene)
    assert corrected(scene, journey, Lessons((lesson,))) == action


# --- signatures ---


def test_a_signature_is_refused_once(scene: Scene) -> None:
    journey = opened(scene, "second")
    assert corrected(scene, journey, SignatureRefused()) == "again"
    assert journey.only_own_thinking and journey.corrections == 1 and known(scene) == ()
    assert corrected(scene, journey, SignatureRefused()) == "stop" and journey.corrections == 1


# --- the context window ---

PROMPT = 100_000 - SLACK - SMALLEST_ANSWER
"""Tokens: one more, and too few are left for an answer."""


@pytest.mark.parametrize(
    ("told", "left"),
    [
        # The provider tells how long the prompt is: what is left of the window, less what two counts may differ by.
        (Overflow(used=120_000, limit=100_000, output=64_000), 44_000 - SLACK),
        (Overflow(used=PROMPT + 64_000, limit=100_000, output=64_000), SMALLEST_ANSWER),
        (Overflow(used=PROMPT + 64_001, limit=100_000, output=64_000), None),
        # It does not: half of what was asked for, and a quarter of the window at the most.
        (Overflow(used=100_001, limit=100_000, output=64_000), 25_000),
        (Overflow(used=100_001, limit=100_000, output=20_000), 10_000),
        (Overflow(used=100_001, limit=100_000, output=2 * SMALLEST_ANSWER), SMALLEST_ANSWER),
        (Overflow(used=100_001, limit=100_000, output=2 * SMALLEST_ANSWER - 2), None),
        # The prompt alone is too long, or nothing is told of the output.
        (Overflow(used=120_000, limit=100_000, output=10_000), None),
        (Overflow(used=120_000, limit=100_000), None),
        (Overflow(output=64_000), None),
        (Overflow(), None),
    ],
)
def test_less_output_is_asked_for_where_that_is_enough(scene: Scene, told: Overflow, left: int | None) -> None:
    journey = opened(scene)
    assert corrected(scene, journey, told) == ("stop" if left is None else "again")
    assert journey.here.output_limit == left and journey.corrections == 0


def test_less_is_asked_for_once(scene: Scene) -> None:
    journey = opened(scene, "second:200000")
    told = Overflow(used=120_000, limit=100_000, output=64_000)
    assert corrected(scene, journey, told) == "again" and journey.here.output_limit == 44_000 - SLACK
    assert corrected(scene, journey, told) == "next" and journey.here.output_limit == 44_000 - SLACK


@pytest.mark.parametrize(("output", "learned"), [(50_001, True), (50_000, False)])
def test_more_output_than_half_of_the_window_is_not_asked_for_again(scene: Scene, output: int, learned: bool) -> None:
    journey = opened(scene)
    assert corrected(scene, journey, Overflow(used=110_000, limit=100_000, output=output)) == "again"
    assert known(scene) == ((Lesson("max_tokens", 50_000),) if learned else ())
    assert journey.exchange.learned == (('rewrite.models."m".max_tokens = 50000',) if learned else ())


@pytest.mark.parametrize(
    ("told", "too_many"),
    [
        # The largest of what is known: used, the limit, and the window that the configuration gives.
        (Overflow(used=150_000, limit=120_000), 150_000),
        (Overflow(limit=120_000), 120_000),
        (Overflow(used=90_000, limit=80_000), 100_000),
        (Overflow(), 100_000),
    ],
)
def test_only_who_takes_more_is_tried(scene: Scene, told: Overflow, too_many: int) -> None:
    journey = opened(scene, "unknown", f"larger:{too_many + 1}")
    assert corrected(scene, journey, told) == "next" and journey.too_long_for == too_many
    assert corrected(scene, opened(scene, "unknown", f"as_large:{too_many}"), told) == "stop"


def test_nobody_takes_more(scene: Scene) -> None:
    journey = opened(scene, "unknown")
    assert corrected(scene, journey, Overflow()) == "stop" and journey.too_long_for is None


def test_where_nothing_is_known_the_size_of_the_body_tells(scene: Scene) -> None:
    journey = opened(scene, "tiny:30", "larger:1000")
    blank = provider("first")
    journey.stop = Stop(candidate_of(blank))
    assert corrected(scene, journey, Overflow()) == "next"
    assert journey.too_long_for == len(journey.exchange.request.body) // 4
    assert json.loads(journey.exchange.request.body)["messages"] == []


# --- words ---


@pytest.mark.parametrize(
    ("refusal", "status", "words"),
    [
        (Overflow(), 400, "400 prompt too long"),
        (Overflow(), None, "prompt too long"),
        (SignatureRefused(), 400, "400 refuses a thinking signature"),
        (Lessons((METADATA, SPEED)), 422, "422 refuses metadata, speed"),
    ],
)
def test_in_a_few_words(refusal: Refusal, status: int | None, words: str) -> None:
    assert described(refusal, status) == words
