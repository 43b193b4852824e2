"""Who can answer if this one does not, and who is asked after a deadline has passed (S06)."""

from __future__ import annotations

import pytest

from tests.journey.scenery import Scene, provider

FIRST, SECOND, THIRD = provider("first"), provider("second"), provider("third")


@pytest.mark.parametrize("stream", [True, False])
async def test_another_target_stands_after_this_one(scene: Scene, stream: bool) -> None:
    scene.configure(FIRST, SECOND)
    journey = scene.open(stream=stream)
    assert await scene.try_next(journey) == "first/key" and journey.others is stream
    await scene.fails(journey, "transient", timed_out=True)
    assert await scene.try_next(journey) == "second/key" and not journey.others, "the last one has its time"


async def test_one_before_it_counts_when_it_has_not_been_tried(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    scene.cool("first")
    journey = scene.open(stream=True)
    assert await scene.try_next(journey) == "second/key" and not journey.others
    scene.clock.now += 301
    other = scene.open(stream=True, session="s")
    assert await scene.try_next(other) == "first/key" and other.others


@pytest.mark.parametrize("what", ["cools", "no credential", "alone"])
async def test_no_other_can_answer(scene: Scene, what: str) -> None:
    scene.configure(FIRST, SECOND, to=("first",) if what == "alone" else ())
    if what == "cools":
        scene.cool("second")
    elif what == "no credential":
        scene.chain.labels["second"] = ()
    journey = scene.open(stream=True)
    assert await scene.try_next(journey) == "first/key" and not journey.others


async def test_another_credential_is_no_other_target(scene: Scene) -> None:
    """Who does not answer with one does not with another either."""
    scene.chain.labels["first"] = ("one", "two")
    scene.configure(FIRST, SECOND, to=("first",))
    journey = scene.open(stream=True)
    assert await scene.try_next(journey) == "first/one" and not journey.others
    await scene.fails(journey, "transient", timed_out=True)
    assert await scene.try_next(journey) == "first/two"


async def test_after_a_deadline_other_targets_come_before_other_credentials(scene: Scene) -> None:
    scene.chain.labels["first"] = ("one", "two", "three")
    scene.configure(FIRST, SECOND)
    journey = scene.open(stream=True)
    assert await scene.try_next(journey) == "first/one"
    await scene.fails(journey, "transient", timed_out=True)
    assert await scene.try_next(journey) == "second/key"
    await scene.fails(journey, "quota")
    assert await scene.try_next(journey) == "first/two"
    await scene.fails(journey, "quota")
    assert await scene.try_next(journey) == "first/three"


async def test_what_may_still_fail_is_no_success(scene: Scene) -> None:
    """A cooldown ends with the first word of an answer, not with its beginning."""
    scene.configure(FIRST, SECOND)
    scene.cool("first")
    scene.clock.now += 301
    probe = scene.open(stream=True)
    await scene.try_next(probe)
    scene.dispatcher.began(probe)
    begun = probe.exchange.attempt.first_event
    assert begun is not None and await scene.try_next(scene.open()) == "second/key"
    scene.dispatcher.first_word(probe)
    assert probe.exchange.attempt.first_event == begun and await scene.try_next(scene.open()) == "first/key"
