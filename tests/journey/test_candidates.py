"""Which ways there are to serve a request, in which order, and what is told of those that cannot be tried."""

from __future__ import annotations

import json

import pytest

from tests.journey.scenery import Scene, answer, candidate_of, provider, sent
from turnout.exchange import LocalAnswer, Target
from turnout.health.cooldown import Cooldowns
from turnout.health.slots import Slots
from turnout.health.waiting import Wait
from turnout.journey.candidates import (
    BUSY_RETRY,
    Candidates,
    Obstacles,
    context_length,
    has_larger,
    model_of,
    note_skipped,
)
from turnout.journey.counting import ESTIMATE_HEADER
from turnout.journey.state import Candidate, Journey

FIRST, SECOND = provider("first"), provider("second")


async def listed(journey: Journey, candidates: Candidates | None = None) -> tuple[list[Candidate], Obstacles]:
    obstacles = Obstacles()
    found = candidates or Candidates(Cooldowns(), Slots())
    return [each async for each in found.of(journey, obstacles)], obstacles


def told(candidates: list[Candidate]) -> list[str]:
    return [f"{each.provider.name}/{each.model} {each.credential.label}" for each in candidates]


# --- messages ---


async def test_targets_in_the_order_of_the_plan_with_all_their_credentials(scene: Scene) -> None:
    scene.chain.labels["first"] = ("one", "two")
    scene.configure(FIRST, SECOND, to=("first", "second/other"))
    found, obstacles = await listed(scene.open())
    assert told(found) == ["first/m one", "first/m two", "second/other key"]
    assert [each.scope for each in found] == ["m", "m", "other"] and all(each.guarded for each in found)
    assert [each.target for each in found[1:]] == [Target("first"), Target("second", "other")]
    assert found[0].key == ("first", found[0].credential.fingerprint, "m") != found[1].key
    assert obstacles == Obstacles()


async def test_credentials_are_looked_for_as_far_as_the_plan_is_read(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    assert await scene.try_next(scene.open()) == "first/key" and scene.chain.asked == ["first"]


async def test_a_target_without_credential_is_told_and_passed_over(scene: Scene) -> None:
    scene.chain.labels["first"] = ()
    scene.configure(provider("first", credentials=("env:ONE", "env:TWO")), SECOND)
    journey = scene.open()
    found, obstacles = await listed(journey)
    assert told(found) == ["second/m key"] and obstacles.counts == {"no credential": 1}
    assert obstacles.missing == ["first (env:ONE, env:TWO)"]
    assert journey.exchange.skipped == ["first without credential"]


@pytest.mark.parametrize(
    ("label", "targets", "guarded"),
    [("client", 1, False), ("client", 2, True), ("key", 1, True), ("key", 2, True)],
)
async def test_cooldowns_guard_all_but_a_client_with_no_alternative(
    scene: Scene, label: str, targets: int, guarded: bool
) -> None:
    scene.chain.labels["first"] = (label,)
    scene.configure(*(FIRST, SECOND)[:targets])
    assert (await listed(scene.open()))[0][0].guarded is guarded


async def test_round_robin_begins_with_the_next_credential_each_time(scene: Scene) -> None:
    scene.chain.labels.update(first=("one", "two", "three"), second=("one", "two"))
    scene.configure(provider("first", rotate="round-robin"), SECOND)
    candidates = Candidates(Cooldowns(), Slots())
    orders = [told((await listed(scene.open(), candidates))[0]) for _ in range(4)]
    assert [order[0] for order in orders] == ["first/m one", "first/m two", "first/m three", "first/m one"]
    assert orders[1] == ["first/m two", "first/m three", "first/m one", "second/m one", "second/m two"]
    assert all(order[3:] == ["second/m one", "second/m two"] for order in orders), "fill-first keeps its order"


async def test_one_credential_does_not_rotate(scene: Scene) -> None:
    scene.configure(provider("first", rotate="round-robin"))
    candidates = Candidates(Cooldowns(), Slots())
    assert told((await listed(scene.open(), candidates))[0]) == ["first/m key"]
    scene.chain.labels["first"] = ("one", "two")
    assert told((await listed(scene.open(), candidates))[0]) == ["first/m one", "first/m two"], "none was passed over"
    assert told((await listed(scene.open(), candidates))[0]) == ["first/m two", "first/m one"]


def test_the_model_that_is_sent() -> None:
    with_aliases = provider(aliases={"opus": "big"})
    assert model_of(Target("first", "own"), with_aliases, "opus") == "own"
    assert (model_of(Target("first"), with_aliases, "opus"), model_of(Target("first"), FIRST, "x")) == ("big", "x")


# --- what is known of their windows ---


@pytest.mark.parametrize(("model", "length"), [("Big-2", 50), ("BIG-9", 10), ("small", None)])
def test_the_first_glob_that_matches_tells_the_window(model: str, length: int | None) -> None:
    assert context_length(provider(context_lengths={"big-2*": 50, "Big-*": 10}), model) == length


async def test_after_an_overflow_only_larger_windows_are_tried(scene: Scene) -> None:
    scene.configure(
        provider("first", context_lengths={"*": 1000}), SECOND, provider("third", context_lengths={"*": 1001})
    )
    journey = scene.open()
    assert len((await listed(journey))[0]) == 3
    journey.too_long_for = 1000
    assert told((await listed(journey))[0]) == ["third/m key"]


async def test_a_larger_window_that_was_not_tried(scene: Scene) -> None:
    aliases = {"opus": "big"}
    scene.configure(
        provider("first", context_lengths={"big": 1000}, aliases=aliases),
        SECOND,
        provider("third", context_lengths={"own": 2000}),
        to=("first", "second", "third/own"),
    )
    journey = scene.open("opus")
    assert [has_larger(journey, tokens) for tokens in (999, 1000, 1999, 2000)] == [True, True, True, False]
    journey.tried.add(("third", "fingerprint", "own"))
    assert [has_larger(journey, tokens) for tokens in (999, 1000)] == [True, False]
    journey.tried.add(("first", "fingerprint", "big"))
    assert not has_larger(journey, 999)


# --- who counts tokens ---


async def test_a_provider_counts_under_limits_of_its_own(scene: Scene) -> None:
    scene.configure(provider("first", count_tokens="provider"), provider("second", count_tokens="provider"))
    scene.cool("first")
    found, _ = await listed(scene.open(endpoint="count_tokens"))
    assert [each.scope for each in found] == ["m (count_tokens)"] * 2
    assert await scene.try_next(scene.open(endpoint="count_tokens")) == "first/key"


@pytest.mark.parametrize(
    ("asked", "aliases", "counted"),
    [
        ("claude-opus-4-6", {}, "claude-opus-4-6"),
        ("claude-opus-4-6", {"sonnet": "claude-sonnet-5"}, "claude-opus-4-6"),
        ("opus", {"opus": "claude-opus-5"}, "claude-opus-5"),
        ("glm-5", {"sonnet": "claude-sonnet-5"}, "claude-sonnet-5"),
        ("glm-5", {}, "glm-5"),
    ],
)
async def test_anthropic_counts_for_others(scene: Scene, asked: str, aliases: dict[str, str], counted: str) -> None:
    counts = provider("first", count_tokens="anthropic")
    scene.configure(counts, SECOND, provider("anthropic", aliases=aliases), to=("first", "second"))
    found, obstacles = await listed(scene.open(asked, endpoint="count_tokens"))
    assert told(found) == [f"anthropic/{counted} key"] and found[0].target == Target("anthropic", counted)
    assert obstacles.counts == {"unsupported": 2} and obstacles.missing == []


async def test_anthropic_has_no_credential_to_count_with(scene: Scene) -> None:
    scene.chain.labels["anthropic"] = ()
    scene.configure(provider("first", count_tokens="anthropic"))
    journey = scene.open(endpoint="count_tokens")
    answered = await scene.dispatcher.advance(journey)
    assert isinstance(answered, LocalAnswer) and answered.status == 501
    message = json.loads(answered.body)["error"]["message"]
    assert message.startswith("first: does not count tokens, and no credential was found for anthropic (env:KEY); set")


async def test_nobody_counts(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    journey = scene.open(endpoint="count_tokens")
    answered = await scene.dispatcher.advance(journey)
    assert isinstance(answered, LocalAnswer) and answered.status == 501
    assert json.loads(answered.body)["error"]["message"] == (
        'first, second: does not count tokens; set count_tokens = "estimate" for providers.first in mitm.conf to have '
        "it estimated here"
    )
    assert scene.chain.asked == [] and scene.held == []


async def test_an_estimate_is_the_end_of_the_plan(scene: Scene) -> None:
    scene.configure(
        provider("first", count_tokens="provider"),
        provider("second", count_tokens="estimate"),
        provider("third", count_tokens="provider"),
    )
    messages = [{"role": "user", "content": "How long is this?"}]
    journey = scene.open(endpoint="count_tokens", messages=messages)
    assert told((await listed(journey))[0]) == ["first/m key"]
    assert await scene.try_next(journey) == "first/key"
    await scene.fails(journey, "quota", told=answer(429))
    answered = await scene.dispatcher.advance(journey)
    assert isinstance(answered, LocalAnswer) and answered.status == 200 and ESTIMATE_HEADER in answered.headers
    tokens = sent(answered)["input_tokens"]
    assert tokens > 0 and journey.exchange.ending == f"estimated {tokens} tokens" and scene.held == []


# --- what is told of those that could not be tried ---


def test_why_nothing_could_be_tried(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    scene.cool("first", "quota_model", 300)
    scene.cool("second", "throttle", 20)
    candidates, obstacles = Candidates(scene.dispatcher.cooldowns, scene.dispatcher.slots), Obstacles()
    obstacles.counts["busy"] = 2
    obstacles.missing.append("third (env:KEY)")
    exchange = scene.open().exchange
    for each in (FIRST, SECOND):
        candidates.cools(exchange, candidate_of(each), obstacles)
    blocked = candidates.blocked(obstacles)
    assert blocked.counts == {"busy": 2, "quota_model": 1, "throttle": 1}
    assert blocked.waits == (Wait(300, told=True, quota=True), Wait(20, told=True), Wait(5, told=True))
    assert blocked.missing == ("third (env:KEY)",) and not blocked.estimate
    assert exchange.skipped == [
        "first skipped (it was quota_model, 300 s left)",
        "second skipped (it was throttle, 20 s left)",
    ]


def test_who_is_being_probed(scene: Scene) -> None:
    scene.configure(FIRST)
    scene.cool("first", "quota_model", 300)
    scene.clock.now += 400
    candidates = Candidates(scene.dispatcher.cooldowns, scene.dispatcher.slots)
    obstacles, candidate = Obstacles(), candidate_of(FIRST)
    claim = scene.dispatcher.cooldowns.claim(*candidate.key)
    exchange = scene.open().exchange
    candidates.cools(exchange, candidate, obstacles)
    assert exchange.skipped == ["first skipped (it was quota_model, is being probed)"]
    blocked = candidates.blocked(obstacles)
    assert (blocked.counts, blocked.waits) == ({"probing": 1}, (Wait(BUSY_RETRY, told=True),))
    assert claim is not None
    scene.dispatcher.cooldowns.succeeded(claim)  # it was free again before this was told
    assert candidates.blocked(Obstacles(cooling=[candidate])).counts == {"probing": 1}
    candidates.cools(exchange, candidate, obstacles)
    assert len(exchange.skipped) == 1


def test_nothing_stood_in_the_way() -> None:
    blocked = Candidates(Cooldowns(), Slots()).blocked(Obstacles(estimate=True))
    assert (blocked.counts, blocked.waits, blocked.missing, blocked.estimate) == ({}, (), (), True)


async def test_only_the_way_to_the_first_attempt_is_told(scene: Scene) -> None:
    scene.configure(FIRST)
    journey = scene.open()
    note_skipped(journey.exchange, "before")
    await scene.try_next(journey)
    note_skipped(journey.exchange, "after")
    assert journey.exchange.skipped == ["before"]


@pytest.mark.parametrize(
    ("obstacle", "ready"),
    [("", True), ("cooling", False), ("busy", False), ("no credential", False), ("tried", False), ("too small", False)],
)
async def test_whether_another_target_is_ready(scene: Scene, obstacle: str, ready: bool) -> None:
    """Patience with a target that fails is for want of a better one."""
    scene.configure(FIRST, provider("second", max_concurrent=1, context_lengths={"*": 1000}))
    journey = scene.open()
    await scene.try_next(journey)
    if obstacle == "cooling":
        scene.cool("second")
    elif obstacle == "busy":
        scene.occupy("second")
    elif obstacle == "no credential":
        scene.chain.labels["second"] = ()
    elif obstacle == "tried":
        journey.tried.add(candidate_of(SECOND).key)
    elif obstacle == "too small":
        journey.too_long_for = 2000
    candidates = Candidates(scene.dispatcher.cooldowns, scene.dispatcher.slots)
    assert await candidates.another_is_ready(journey) is ready
