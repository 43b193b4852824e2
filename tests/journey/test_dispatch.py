"""Policy: what is tried next, what is blamed, what is held at every moment, and what the last word is (A9, D3)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.journey.scenery import NO_RETRIES, QUICK, Scene, answer, judgement, provider, sent
from turnout.dialects.messages.refusals import Lessons, Overflow, SignatureRefused
from turnout.dialects.messages.refusals.lesson import Lesson
from turnout.errors import InvalidRequest
from turnout.exchange import LocalAnswer, Target
from turnout.journey.dispatch import REMEMBERED_STATUSES
from turnout.journey.state import Journey

FIRST, SECOND = provider("first"), provider("second")
BOTH = ["claim first/m", "slot first"]
REFUSED = Lessons((Lesson("drop", "metadata"),))


def one_slot(name: str = "first", wait: float = 0) -> Any:
    return provider(name, max_concurrent=1, slot_wait=wait)


async def walk(scene: Scene, journey: Journey, *outcomes: dict[str, Any] | str) -> list[str]:
    """Let attempts end one after the other until the plan goes on no more; what was tried, and the last answer.

    At every moment an attempt holds its slot and its claim, and a failed one no slot.
    """
    trail: list[str] = []
    for outcome in outcomes:
        trail.append(await scene.try_next(journey))
        name = journey.provider.name
        assert scene.held == [f"claim {name}/m", f"slot {name}"]
        fields = {"verdict": outcome} if isinstance(outcome, str) else dict(outcome)
        again = await scene.fails(journey, fields.pop("verdict"), **fields)
        assert f"slot {name}" not in scene.held and bool(scene.held) is journey.here.repeat
        if not again:
            return [*trail, "stop"]
    return [*trail, await scene.try_next(journey)]


LIKE_A_DEADLINE = {"verdict": "transient", "timed_out": True}


@pytest.mark.parametrize(
    ("outcomes", "tried", "cools"),
    [
        # A quota, a limit without a time, a deadline and what the provider says is hopeless: on at once.
        (["quota"], ["first/key", "second/key"], {"first/*": 300}),
        (["quota_model"], ["first/key", "second/key"], {"first/m": 300}),
        (["throttle"], ["first/key", "second/key"], {"first/m": 20}),
        ([{"verdict": "throttle", "retry_after": 30}], ["first/key", "second/key"], {"first/m": 30}),
        ([LIKE_A_DEADLINE], ["first/key", "second/key"], {"first/m": 20}),
        ([{"verdict": "overloaded", "retryable": False}], ["first/key", "second/key"], {"first/m": 20}),
        ([{"verdict": "transient", "unreachable": True}], ["first/key", "second/key"], {"first/m": 20}),
        (["not_found"], ["first/key", "second/key"], {"first/m": 60}),
        # About this request alone: nothing cools.
        (["throttle_request"], ["first/key", "second/key"], {}),
        ([{"verdict": "not_found", "cools": False}], ["first/key", "second/key"], {}),
        # What is soon over: the same target, twice, before the next.
        (["transient"], ["first/key", "first/key"], {}),
        (["overloaded", "transient"], ["first/key"] * 3, {}),
        ([{"verdict": "throttle", "retry_after": 0.001}], ["first/key", "first/key"], {}),
        (["transient"] * 3, ["first/key"] * 3 + ["second/key"], {"first/m": 20}),
        (["transient", "quota"], ["first/key", "first/key", "second/key"], {"first/*": 300}),
        # A refused credential rests as a whole, unless it is refused for this model alone.
        (["credential"], ["first/key", "second/key"], {"first/*": 300}),
        ([{"verdict": "credential", "model_only": True}], ["first/key", "second/key"], {"first/m": 300}),
        # The request is at fault: no other would do better.
        (["request"], ["first/key", "stop"], {}),
        (["quota", "request"], ["first/key", "second/key", "stop"], {"first/*": 300}),
        # Everything failed.
        (["quota", "throttle"], ["first/key", "second/key", "502"], {"first/*": 300, "second/m": 20}),
    ],
)
async def test_what_is_tried_next_and_what_is_blamed(
    scene: Scene, outcomes: list[dict[str, Any] | str], tried: list[str], cools: dict[str, int]
) -> None:
    scene.configure(FIRST, SECOND, retry=QUICK)
    journey = scene.open()
    assert await walk(scene, journey, *outcomes) == tried
    assert scene.cooling == cools
    scene.dispatcher.close(journey, "failed")
    assert scene.held == []


@pytest.mark.parametrize(
    ("outcome", "dead"),
    [("credential", ["key"]), ({"verdict": "credential", "model_only": True}, []), ("quota", [])],
)
async def test_a_dead_credential_is_read_again(scene: Scene, outcome: dict[str, Any] | str, dead: list[str]) -> None:
    scene.configure(FIRST, SECOND)
    await walk(scene, scene.open(), outcome)
    assert scene.chain.dead == dead


@pytest.mark.parametrize("verdict", ["credential", "not_found"])
async def test_what_is_said_of_the_clients_own_credential_is_the_clients(scene: Scene, verdict: str) -> None:
    """A9: its own login is none of Turnout's business."""
    scene.chain.labels["first"] = ("client",)
    scene.configure(FIRST, SECOND)
    assert await walk(scene, scene.open(), verdict) == ["first/client", "stop"]


async def test_each_credential_of_a_target_is_tried_before_the_next_target(scene: Scene) -> None:
    scene.chain.labels["first"] = ("one", "two")
    scene.configure(FIRST, SECOND)
    journey = scene.open()
    assert await walk(scene, journey, "quota", "quota") == ["first/one", "first/two", "second/key"]
    assert [attempt.number for attempt in journey.exchange.attempts] == [1, 2, 3]


async def test_a_target_that_is_twice_in_the_plan_is_tried_once(scene: Scene) -> None:
    scene.configure(FIRST, to=("first", "first/m", "first/n"))
    assert (await walk(scene, scene.open(), "throttle_request"))[0] == "first/key"
    journey = scene.open()
    await scene.try_next(journey)
    await scene.fails(journey, "throttle_request")
    assert await scene.try_next(journey) == "first/key" and journey.exchange.attempt.model == "n"


async def test_an_unreachable_provider_without_alternative_is_tried_again(scene: Scene) -> None:
    scene.configure(FIRST, retry=QUICK)
    outcome = {"verdict": "transient", "unreachable": True}
    assert await walk(scene, scene.open(), outcome) == ["first/key", "first/key"]


async def test_an_unreachable_provider_is_waited_for_by_one_request_not_by_each(scene: Scene) -> None:
    """Every request took 3.5 s to tell that nobody listens there, as the one before had told."""
    scene.configure(FIRST, retry=QUICK)
    outcome = {"verdict": "transient", "unreachable": True}
    assert (await walk(scene, scene.open(), *[outcome] * 3))[:3] == ["first/key"] * 3
    assert scene.cooling == {"first/m": 20}
    trail = await walk(scene, scene.open(), outcome)
    assert trail[0] == "first/key" and "first/key" not in trail[1:]
    assert await walk(scene, scene.open(), "overloaded") == ["first/key", "first/key"], "it is there again"


# --- what moving on leaves behind ---


async def test_the_waits_of_one_exchange_add_up_and_the_retries_start_anew(scene: Scene) -> None:
    scene.configure(FIRST, SECOND, retry={**QUICK, "max_elapsed": 0.003, "multiplier": 2, "max_interval": 0.002})
    journey = scene.open()
    assert await walk(scene, journey, "transient") == ["first/key", "first/key"]
    assert (journey.here.retries, journey.waited) == (1, 0.001)
    await scene.fails(journey, "quota")
    assert await scene.try_next(journey) == "second/key"
    assert (journey.here.retries, journey.waited, journey.here.repeat) == (0, 0.001, False)
    assert await scene.fails(journey, "transient") and await scene.try_next(journey) == "second/key"
    assert await scene.fails(journey, "transient") is True and journey.waited == pytest.approx(0.002)
    assert not journey.here.repeat, "the second retry here would take twice as long, and there is no time for it"


async def test_an_output_limit_is_of_one_target(scene: Scene) -> None:
    """What the window of one model leaves says nothing of another's."""
    scene.configure(FIRST, SECOND)
    journey = scene.open()
    assert sent(await scene.dispatcher.advance(journey))["max_tokens"] == 64_000
    assert await scene.fails(journey, "request", refusal=Overflow(used=120_000, limit=100_000, output=64_000))
    assert sent(await scene.dispatcher.advance(journey))["max_tokens"] == 44_000 - 64
    assert journey.provider.name == "first"
    assert await scene.fails(journey, "overloaded")
    assert sent(await scene.dispatcher.advance(journey))["max_tokens"] == 64_000
    assert journey.provider.name == "second" and journey.here.output_limit is None


async def test_what_a_model_is_known_to_refuse_is_left_out_for_it_alone(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    scene.dispatcher.knowledge.learn(FIRST, "messages", "m", REFUSED.lessons)
    journey = scene.open(metadata={"user_id": "u"})
    assert "metadata" not in sent(await scene.dispatcher.advance(journey))
    assert journey.here.lessons == REFUSED.lessons and journey.exchange.rules
    await scene.fails(journey, "overloaded")
    assert "metadata" in sent(await scene.dispatcher.advance(journey))
    assert journey.here.lessons == () and journey.exchange.rules == ()


async def test_after_a_refused_signature_only_own_thinking_goes(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    foreign = {"type": "thinking", "thinking": "t", "signature": "foreign"}
    said = [foreign, {"type": "text", "text": "x"}]
    messages = [{"role": "assistant", "content": said}, {"role": "user", "content": "y"}]
    journey = scene.open(messages=messages)
    assert sent(await scene.dispatcher.advance(journey))["messages"][0]["content"] == said
    assert await scene.fails(journey, "request", refusal=SignatureRefused())
    assert sent(await scene.dispatcher.advance(journey))["messages"][0]["content"] == said[1:]
    assert await scene.fails(journey, "request", refusal=SignatureRefused()) is False


# --- refusals ---


async def test_what_is_refused_is_left_out_at_the_same_target(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    journey = scene.open(metadata={"user_id": "u"})
    await scene.dispatcher.advance(journey)
    claim = journey.here.claim
    assert await scene.fails(journey, "request", told=answer(422), refusal=REFUSED, reason="422 request")
    assert scene.held == ["claim first/m"] and journey.here.claim is claim, "the attempt goes on"
    attempt = journey.exchange.attempt
    assert (attempt.reason, attempt.status, attempt.verdict) == ("422 refuses metadata", 422, "request")
    assert "metadata" not in sent(await scene.dispatcher.advance(journey))
    assert scene.held == BOTH and journey.provider.name == "first" and scene.cooling == {}
    assert len(journey.exchange.attempts) == 2 and scene.dispatcher.recent("first") == [422]


async def test_a_refusal_that_was_heeded_is_the_last_word(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    journey = scene.open()
    await scene.try_next(journey)
    assert await scene.fails(journey, "request", refusal=REFUSED)
    await scene.try_next(journey)
    assert await scene.fails(journey, "request", refusal=REFUSED) is False
    assert scene.held == [] and not journey.here.repeat


async def test_a_refusal_is_of_no_use_to_who_has_left(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    journey = scene.open()
    await scene.try_next(journey)
    journey.leave()
    assert await scene.fails(journey, "request", refusal=REFUSED) is False and scene.held == ["claim first/m"]
    scene.dispatcher.close(journey, "failed")
    assert scene.held == []


async def test_what_is_too_long_goes_to_who_takes_more(scene: Scene) -> None:
    small = provider("small", context_lengths={"*": 1000})
    larger = provider("larger", context_lengths={"*": 5000})
    unknown = provider("unknown")
    scene.configure(small, unknown, larger)
    journey = scene.open()
    assert await scene.try_next(journey) == "small/key"
    assert await scene.fails(journey, "request", refusal=Overflow(2000, 1000)) and scene.held == []
    assert await scene.try_next(journey) == "larger/key"
    assert await scene.fails(journey, "request", refusal=Overflow(9000, 5000)) is False and scene.held == []


# --- cooldowns, and who probes ---


async def test_a_target_that_rests_is_passed_over(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    scene.cool("first")
    journey = scene.open()
    assert await scene.try_next(journey) == "second/key"
    assert journey.exchange.skipped == ["first skipped (it was quota_model, 300 s left)"]
    scene.clock.now += 301
    assert await scene.try_next(scene.open()) == "first/key"


async def test_after_a_cooldown_one_probes_and_the_others_pass_by(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    scene.cool("first")
    scene.clock.now += 301
    probe, other, third = scene.open(), scene.open(), scene.open()
    assert await scene.try_next(probe) == "first/key"
    assert await scene.try_next(other) == "second/key"
    assert other.exchange.skipped == ["first skipped (it was quota_model, is being probed)"]
    scene.dispatcher.first_word(probe)
    assert await scene.try_next(third) == "first/key", "the answer has begun: nobody waits for its end"
    assert probe.here.claim is not None and scene.held == ["claim first/m", "claim second/m"] + ["slot first"] * 2 + [
        "slot second"
    ]


async def test_a_probe_that_ends_without_a_word_lets_another_probe(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    scene.cool("first")
    scene.clock.now += 301
    probe = scene.open()
    await scene.try_next(probe)
    scene.dispatcher.cancelled(probe)
    scene.dispatcher.close(probe, "failed")
    assert probe.exchange.attempt.verdict == "cancelled" and probe.exchange.attempt.reason == "client left"
    assert await scene.try_next(scene.open()) == "first/key"


@pytest.mark.parametrize("verdict", ["overloaded", "transient"])
async def test_the_last_resort_is_what_may_be_over_already(scene: Scene, verdict: str) -> None:
    scene.configure(FIRST, SECOND)
    scene.cool("first", "quota_model")
    scene.cool("second", verdict)
    journey, other = scene.open(), scene.open()
    assert await scene.try_next(journey) == "second/key" and scene.held == ["claim second/m", "slot second"]
    assert await scene.try_next(other) == "503", "one at a time"


async def test_a_last_resort_is_tried_once(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    scene.cool("first", "overloaded")
    scene.cool("second", "overloaded")
    journey = scene.open()
    assert await walk(scene, journey, "overloaded") == ["first/key", "502"]
    assert journey.exchange.skipped == [
        f"{name} skipped (it was overloaded, 300 s left)" for name in ("first", "second")
    ]


async def test_a_last_resort_needs_a_slot(scene: Scene) -> None:
    scene.configure(one_slot(), SECOND)
    scene.cool("first", "overloaded")
    scene.cool("second", "overloaded")
    scene.occupy("first")
    assert await scene.try_next(scene.open()) == "second/key"
    assert scene.held == ["claim second/m", "slot first", "slot second"]


@pytest.mark.parametrize(
    ("verdicts", "status", "retry_after", "counts"),
    [
        (("quota_model", "throttle"), 429, "60", {"quota_model": 1, "throttle": 1}),
        (("quota_model", "credential"), 503, "60", {"quota_model": 1, "credential": 1}),
    ],
)
async def test_nothing_can_be_tried(
    scene: Scene, verdicts: tuple[str, str], status: int, retry_after: str, counts: dict[str, int]
) -> None:
    """D3, D4: the answer tells why, and when to come back."""
    scene.configure(FIRST, SECOND)
    scene.cool("first", verdicts[0], 300)
    scene.cool("second", verdicts[1], 120)
    scene.dispatcher._recent["first"].append(429)
    journey = scene.open()
    told = await scene.dispatcher.advance(journey)
    assert isinstance(told, LocalAnswer) and (told.status, told.headers["retry-after"]) == (status, retry_after)
    error = json.loads(told.body)["error"]
    assert (error["blocked"], error["recent"]) == (counts, {"first": [429], "second": []})
    assert scene.held == [] and journey.exchange.ending == error["message"] and journey.exchange.attempts == []


async def test_without_any_credential(scene: Scene) -> None:
    scene.chain.labels.update(first=(), second=())
    scene.configure(FIRST, SECOND)
    journey = scene.open()
    told = await scene.dispatcher.advance(journey)
    assert isinstance(told, LocalAnswer) and told.status == 401 and b"first (env:KEY)" in told.body
    assert journey.exchange.skipped == ["first without credential", "second without credential"]


async def test_a_client_with_its_own_credential_and_no_alternative_decides_itself(scene: Scene) -> None:
    """No cooldown stands between it and the provider, and its failures set none."""
    scene.chain.labels["first"] = ("client",)
    scene.configure(FIRST)
    scene.cool("first", label="client")
    journey = scene.open()
    assert await scene.try_next(journey) == "first/client" and scene.held == ["slot first"]
    await scene.fails(journey, "quota")
    assert scene.cooling == {"first/m": 300} and journey.exchange.attempt.until is None
    assert scene.held == []


async def test_nor_does_an_answer_of_its_own_that_breaks_off(scene: Scene) -> None:
    scene.chain.labels["first"] = ("client",)
    scene.configure(FIRST)
    journey = scene.open()
    await scene.try_next(journey)
    scene.dispatcher.first_word(journey)
    scene.dispatcher.broke(journey, judgement("overloaded"))
    assert scene.cooling == {} and scene.held == []


# --- slots ---


async def test_a_busy_target_is_passed_over_and_its_claim_given_back(scene: Scene) -> None:
    scene.configure(one_slot(), SECOND)
    scene.occupy("first")
    journey = scene.open()
    assert await scene.try_next(journey) == "second/key"
    assert scene.held == ["claim second/m", "slot first", "slot second"]
    assert journey.exchange.skipped == ["first busy"]


async def test_all_are_busy(scene: Scene) -> None:
    scene.configure(one_slot())
    scene.occupy("first")
    journey = scene.open()
    told = await scene.dispatcher.advance(journey)
    assert isinstance(told, LocalAnswer) and told.status == 503 and b"(1 busy)" in told.body
    assert scene.held == ["slot first"]


async def test_a_slot_is_waited_for(scene: Scene) -> None:
    scene.configure(one_slot(wait=10), SECOND)
    lease = scene.occupy("first")
    journey = scene.open()
    advancing = asyncio.ensure_future(scene.try_next(journey))
    await _until_waiting(scene)
    assert scene.held == BOTH, "the slot of somebody else, and the claim of the one that waits"
    lease.release()
    assert await advancing == "first/key" and scene.held == BOTH
    scene.dispatcher.close(journey, "served")
    assert scene.held == []


async def _until_waiting(scene: Scene, provider: str = "first") -> None:
    while not scene.dispatcher.slots.snapshot()[provider]["waiting"]:
        await asyncio.sleep(0)


async def test_the_wait_for_a_slot_ends(scene: Scene) -> None:
    scene.configure(one_slot(wait=0.001), SECOND)
    scene.occupy("first")
    assert await scene.try_next(scene.open()) == "second/key"
    assert scene.dispatcher.slots.snapshot()["first"]["waiting"] == 0


async def test_who_leaves_waits_no_more(scene: Scene) -> None:
    scene.configure(one_slot(wait=10), SECOND)
    lease = scene.occupy("first")
    journey = scene.open()
    advancing = asyncio.ensure_future(scene.try_next(journey))
    await _until_waiting(scene)
    journey.leave()
    assert await advancing == "503" and scene.held == ["slot first"]
    assert scene.chain.asked == ["first"], "nor is another target tried"
    assert journey.exchange.attempts == [] and scene.dispatcher.slots.snapshot()["first"]["waiting"] == 0
    lease.release()
    assert scene.held == []


@pytest.mark.parametrize("leaves_first", [False, True])
async def test_a_slot_granted_in_the_moment_the_client_leaves_is_given_back(scene: Scene, leaves_first: bool) -> None:
    scene.configure(one_slot(wait=10), SECOND)
    lease = scene.occupy("first")
    journey = scene.open()
    advancing = asyncio.ensure_future(scene.try_next(journey))
    await _until_waiting(scene)
    for happens in (journey.leave, lease.release) if leaves_first else (lease.release, journey.leave):
        happens()
    assert await advancing == "503" and scene.held == [] and journey.here.lease is None
    assert journey.exchange.attempts == []


async def test_who_has_left_gets_no_slot(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    journey = scene.open()
    journey.leave()
    assert await scene.try_next(journey) == "503" and scene.held == [] and journey.exchange.attempts == []


@pytest.mark.parametrize("turns", range(6))
async def test_a_hook_that_is_cancelled_around_its_slot_keeps_none(scene: Scene, turns: int) -> None:
    """`turns` of the event loop after a slot came free: from just before it is granted until the attempt is made."""
    scene.configure(one_slot(wait=10), SECOND)
    lease = scene.occupy("first")
    journey = scene.open()
    advancing = asyncio.ensure_future(scene.try_next(journey))
    await _until_waiting(scene)
    lease.release()
    for _ in range(turns):
        await asyncio.sleep(0)
    advancing.cancel()
    await asyncio.wait((advancing,))
    scene.dispatcher.close(journey, "failed")
    while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(tasks)
    assert scene.held == []


async def test_a_hook_that_is_cancelled_waits_no_more(scene: Scene) -> None:
    scene.configure(one_slot(wait=10), SECOND)
    scene.occupy("first")
    advancing = asyncio.ensure_future(scene.try_next(journey := scene.open()))
    await _until_waiting(scene)
    advancing.cancel()
    await asyncio.wait((advancing,))
    scene.dispatcher.close(journey, "failed")
    await asyncio.sleep(0)
    assert scene.held == ["slot first"] and scene.dispatcher.slots.snapshot()["first"]["waiting"] == 0


async def test_a_retry_without_a_slot_moves_on_and_blames_what_had_failed(scene: Scene) -> None:
    scene.configure(one_slot(), SECOND, retry=QUICK)
    journey = scene.open()
    await scene.try_next(journey)
    assert await scene.fails(journey, "overloaded") and journey.here.repeat and scene.held == ["claim first/m"]
    lease = scene.occupy("first")
    assert await scene.try_next(journey) == "second/key"
    assert scene.cooling == {"first/m": 20} and not journey.here.repeat and journey.here.retries == 0
    lease.release()
    assert scene.held == ["claim second/m", "slot second"]


# --- retries and the client ---


async def test_who_leaves_ends_the_pause_before_a_retry(scene: Scene) -> None:
    scene.configure(FIRST, SECOND, retry={"initial": 60, "max_interval": 60, "max_elapsed": 60})
    journey = scene.open()
    await scene.try_next(journey)
    failing = asyncio.ensure_future(scene.fails(journey, "transient"))
    await asyncio.sleep(0)
    assert scene.held == ["claim first/m"], "nobody holds a slot while it waits"
    journey.leave()
    assert await failing is False and scene.held == [] and not journey.here.repeat
    assert scene.cooling == {"first/m": 20} and (journey.here.retries, journey.waited) == (0, 0.0)


async def test_after_a_failure_nothing_is_tried_for_who_has_left(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    journey = scene.open()
    await scene.try_next(journey)
    journey.leave()
    assert await scene.fails(journey, "quota") is False and scene.held == [] and scene.cooling == {"first/*": 300}


# --- how it ends ---


@pytest.mark.parametrize(
    ("outcomes", "retry_after"),
    [
        (({"verdict": "quota", "retry_after": 40}, {"verdict": "quota", "retry_after": 90}), "40"),
        (("quota", {"verdict": "quota", "retry_after": 90}), "60"),
        (({"verdict": "quota", "retry_after": 400}, {"verdict": "quota", "retry_after": 90}), "90"),
        (({"verdict": "quota", "retry_after": 400}, "overloaded"), "20"),
        (("overloaded", "throttle"), None),
        (({"verdict": "throttle", "retry_after": 400}, {"verdict": "throttle", "retry_after": 61}), "60"),
        (({"verdict": "throttle_request", "retry_after": 7}, "overloaded"), "7"),
        (("throttle_request", "throttle_request"), None),
    ],
)
async def test_the_last_word_tells_when_the_first_is_free(
    scene: Scene, outcomes: tuple[dict[str, Any] | str, ...], retry_after: str | None
) -> None:
    scene.configure(FIRST, SECOND)
    journey = scene.open()
    await walk(scene, journey, *outcomes)
    assert scene.dispatcher.last_word(journey).headers.get("retry-after") == retry_after


async def test_what_was_passed_over_may_be_the_first_to_be_free(scene: Scene) -> None:
    """It is the plan that the client waits for, not only what has failed."""
    scene.configure(FIRST, SECOND)
    scene.cool("second", "throttle", 12)
    journey = scene.open()
    await scene.try_next(journey)
    assert await scene.fails(journey, "quota", until=scene.clock.now + 7200)
    told = await scene.dispatcher.advance(journey)
    assert isinstance(told, LocalAnswer) and told.headers["retry-after"] == "12"
    assert "x-should-retry" not in told.headers


async def test_a_limit_without_a_time_is_the_clients_to_try_again(scene: Scene) -> None:
    """Two of them Claude Code survives in two seconds: it must not meet a wall of ours."""
    scene.configure(FIRST)
    assert await walk(scene, scene.open(), "throttle") == ["first/key", "502"]
    assert await walk(scene, scene.open(), "throttle") == ["first/key", "502"]


async def test_the_last_word_is_the_first_targets_own(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    journey = scene.open()
    await walk(scene, journey, {"verdict": "quota", "told": answer(429, "primary")}, "quota")
    told = scene.dispatcher.last_word(journey)
    assert told.status == 429 and json.loads(told.body)["error"]["message"] == "primary"


async def test_a_step_tells_what_it_was(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    journey = scene.open()
    await scene.try_next(journey)
    await scene.fails(journey, "quota", told=answer(429), reason="429 quota", retry_after=50)
    attempt = journey.exchange.attempt
    assert (attempt.status, attempt.verdict, attempt.reason) == (429, "quota", "429 quota")
    assert attempt.until == scene.clock.now + 50
    await scene.try_next(journey)
    await scene.fails(journey, "transient", reason="connection refused")
    assert (journey.exchange.attempt.status, journey.exchange.attempt.reason) == (None, "connection refused")
    assert scene.dispatcher.recent("first") == [429] and scene.dispatcher.recent("second") == ["connection refused"]
    assert [failure.candidate.provider.name for failure in journey.failures] == ["first", "second"]


async def test_the_last_statuses_are_remembered(scene: Scene) -> None:
    scene.configure(FIRST)
    for number in range(REMEMBERED_STATUSES + 1):
        journey = scene.open()
        await scene.try_next(journey)
        scene.dispatcher.served(journey, 200 + number)
    assert scene.dispatcher.recent("first") == list(range(201, 201 + REMEMBERED_STATUSES))


@pytest.mark.parametrize(("status", "verdict", "reason"), [(200, "ok", ""), (400, "request", "400"), (399, "ok", "")])
async def test_an_answer_is_served(scene: Scene, status: int, verdict: str, reason: str) -> None:
    scene.configure(FIRST, SECOND)
    journey = scene.open(session="s")
    await scene.try_next(journey)
    scene.dispatcher.first_word(journey)
    before = journey.exchange.attempt.first_event
    scene.dispatcher.first_word(journey)
    assert before is not None and 0 <= before < 10 and journey.exchange.attempt.first_event == before
    scene.dispatcher.served(journey, status)
    attempt = journey.exchange.attempt
    assert (attempt.status, attempt.verdict, attempt.reason) == (status, verdict, reason)
    scene.dispatcher.close(journey, "served")
    assert scene.held == [] and scene.dispatcher.counts == {"open": 0, "served": 1}


async def test_what_was_said_of_an_attempt_before_it_served_stands(scene: Scene) -> None:
    scene.configure(FIRST)
    journey = scene.open()
    await scene.try_next(journey)
    journey.exchange.attempt.verdict, journey.exchange.attempt.reason = "request", "400 too long"
    scene.dispatcher.served(journey, 400)
    assert (journey.exchange.attempt.verdict, journey.exchange.attempt.reason) == ("request", "400 too long")


async def test_an_answer_that_breaks_off_is_held_against_its_target(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    journey = scene.open()
    await scene.try_next(journey)
    scene.dispatcher.first_word(journey)
    scene.dispatcher.broke(journey, judgement("overloaded", reason="200 with overloaded_error"))
    attempt = journey.exchange.attempt
    assert (attempt.verdict, attempt.reason) == ("overloaded", "200 with overloaded_error")
    assert scene.cooling == {"first/m": 20} and scene.dispatcher.recent("first") == ["200 with overloaded_error"]
    assert attempt.until == scene.clock.now + 20 and scene.held == []
    assert await scene.try_next(scene.open()) == "second/key"


# --- sessions ---


async def _served_by_the_second(scene: Scene, **opened: Any) -> None:
    scene.cool("first")
    journey = scene.open(**opened)
    assert await scene.try_next(journey) == "second/key"
    scene.dispatcher.served(journey, 200)
    scene.dispatcher.close(journey, "served")
    scene.clock.now += 301


RESULT = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}]


async def test_a_session_stays_where_it_was_served_while_a_turn_lasts(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    await _served_by_the_second(scene, session="s", prompt="p1")
    here, home = (Target("second"), Target("first")), (Target("first"), Target("second"))
    assert scene.open(session="s", messages=RESULT).exchange.plan == here
    assert scene.open(session="s", messages=RESULT, prompt="p1").exchange.plan == here
    assert scene.open(session="s", messages=RESULT, prompt="p2").exchange.plan == home
    assert scene.open(session="s").exchange.plan == home
    assert scene.open(session="t", messages=RESULT).exchange.plan == home


async def test_the_turns_of_an_agent_are_its_own(scene: Scene) -> None:
    """It works beside the session's own turn, and begins and ends when it likes."""
    scene.configure(FIRST, SECOND)
    await _served_by_the_second(scene, session="s", agent="a")
    assert scene.open(session="s", agent="a", messages=RESULT).exchange.plan[0] == Target("second")
    assert scene.open(session="s", agent="b", messages=RESULT).exchange.plan[0] == Target("first")
    assert scene.open(session="s", messages=RESULT).exchange.plan[0] == Target("first")


async def _ask(scene: Scene, down: bool, **opened: Any) -> str:
    """One request of a session; who served it in the end."""
    journey = scene.open(**opened)
    while True:
        tried = await scene.try_next(journey)
        if not (down and tried.startswith("first/")):
            break
        await scene.fails(journey, "overloaded")
    scene.dispatcher.first_word(journey)
    scene.dispatcher.served(journey, 200)
    scene.dispatcher.close(journey, "served")
    return tried


@pytest.mark.parametrize("outage", [1, 19, 30, 65, 300, 3600])
@pytest.mark.parametrize("jitter", [0.0, 1.0])
async def test_one_long_session_is_home_within_half_a_minute(
    scene: Scene, outage: float, jitter: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its requests come second by second, and each is served elsewhere until then."""
    monkeypatch.setattr(scene.dispatcher.cooldowns, "_jitter", lambda: jitter)
    scene.configure(FIRST, SECOND)
    recovery = scene.clock.now + outage
    while (by := await _ask(scene, scene.clock.now < recovery, session="s")) == "second/key":
        scene.clock.now += 1
    assert by == "first/key" and scene.clock.now <= recovery + 30
    assert await _ask(scene, False, session="s", messages=RESULT) == "first/key"


async def test_sessions_come_home_one_by_one_until_one_is_served(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    for session in ("s", "t"):
        await _ask(scene, True, session=session)
    scene.clock.now += 20
    probe, other = scene.open(session="s"), scene.open(session="t")
    assert await scene.try_next(probe) == "first/key"
    assert await scene.try_next(other) == "second/key", "the probe is under way"
    scene.dispatcher.first_word(probe)
    assert await _ask(scene, False, session="t") == "first/key"


@pytest.mark.parametrize("status", [200, 400])
async def test_counting_and_refused_requests_move_no_session(scene: Scene, status: int) -> None:
    scene.configure(provider("first", count_tokens="provider"), provider("second", count_tokens="provider"))
    scene.cool("first")
    for endpoint in ("count_tokens",) if status == 200 else ("messages",):
        journey = scene.open(session="s", endpoint=endpoint)
        scene.dispatcher.cooldowns.forget("first")
        await scene.try_next(journey)
        await scene.fails(journey, "throttle_request")
        assert await scene.try_next(journey) == "second/key"
        scene.dispatcher.served(journey, status)
    assert scene.open(session="s").exchange.plan[0] == Target("first")


async def test_a_title_moves_no_session(scene: Scene) -> None:
    """It is asked for in the middle of a turn, and may be served at home: the turn goes on where it is."""
    scene.configure(FIRST, SECOND)
    bash = [{"name": "Bash"}]
    await _served_by_the_second(scene, session="s", tools=bash)
    assert await _ask(scene, False, session="s") == "first/key"
    assert scene.open(session="s", tools=bash, messages=RESULT).exchange.plan[0] == Target("second")


async def test_a_detour_to_a_tool_moves_no_session(scene: Scene) -> None:
    without = provider("first", rewrite={"server_tools": []})
    scene.configure(without, SECOND)
    tools = [{"type": "web_search_20250305", "name": "web_search"}, {"name": "Bash"}]
    journey = scene.open(session="s", tools=tools)
    assert journey.detour and journey.exchange.plan == (Target("second"), Target("first"))
    await scene.try_next(journey)
    scene.dispatcher.served(journey, 200)
    plain = scene.open(session="s")
    assert not plain.detour and plain.exchange.plan == (Target("first"), Target("second"))


SEARCH = [{"type": "web_search_20250305", "name": "web_search"}]


async def test_a_request_that_needs_a_tool_goes_only_to_who_has_it(scene: Scene) -> None:
    """By the rules for the provider, for the model, and by what was learned."""
    refused = {"refused_tools": ["web_search_20250305"]}
    model_only = provider("second", rewrite={"learn": True, "models": {"small-*": refused}})
    scene.configure(FIRST, model_only, to=("first", "second/small-1", "second/large"))
    assert scene.open(tools=SEARCH).exchange.plan == (Target("first"), Target("second", "large"))
    scene.dispatcher.knowledge.learn(FIRST, "messages", "m", [Lesson("refused_tools", "web_search_20250305")])
    journey = scene.open(tools=SEARCH)
    assert journey.exchange.plan == (Target("second", "large"),) and journey.detour
    assert len(scene.open(tools=[*SEARCH, {"name": "Bash"}]).exchange.plan) == 3
    assert len(scene.open(endpoint="count_tokens", tools=SEARCH).exchange.plan) == 3


async def test_a_request_that_needs_a_tool_which_nobody_has(scene: Scene) -> None:
    scene.configure(provider("first", rewrite={"server_tools": []}))
    with pytest.raises(InvalidRequest, match=r"^No web_search here: first cannot run it\. "):
        scene.open(tools=SEARCH)
    both = [*SEARCH, {"type": "web_fetch_20250910", "name": "web_fetch"}]
    with pytest.raises(InvalidRequest, match=r'^No web_search or web_fetch here: .* tools = \["web_search\*"'):
        scene.open(tools=both)
    assert scene.dispatcher.counts["open"] == 0


async def test_a_needed_tool_that_is_refused_is_sought_at_the_next_target(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    journey = scene.open(tools=SEARCH)
    assert await scene.try_next(journey) == "first/key"
    refusal = Lessons((Lesson("refused_tools", "web_search_20250305"),))
    assert await scene.fails(journey, "request", refusal=refusal)
    assert await scene.try_next(journey) == "second/key"


# --- pins and settings ---


async def test_pins(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    scene.dispatcher.pinned = "second"
    assert scene.open().exchange.plan == (Target("second"),) and scene.open().route == "pinned"
    assert scene.open(pinned="first").exchange.plan == (Target("first"),)
    with pytest.raises(InvalidRequest, match="nowhere is not a configured provider. Known: anthropic, first, second"):
        scene.open(pinned="nowhere")
    assert scene.dispatcher.counts["open"] == 3


async def test_a_provider_that_was_edited_starts_without_cooldowns(scene: Scene) -> None:
    scene.configure(FIRST, SECOND)
    scene.cool("first")
    scene.cool("second")
    scene.configure(FIRST, provider("second", cooldown="1m"))
    assert scene.cooling == {"first/m": 300}
    scene.configure(SECOND)
    assert scene.cooling == {}


async def test_new_settings_bring_new_limits_and_rules(scene: Scene) -> None:
    scene.configure(FIRST)
    one, other = scene.open(), scene.open()
    assert sent(await scene.dispatcher.advance(one))["max_tokens"] == 64_000
    scene.configure(provider("first", max_concurrent=1, rewrite={"max_tokens": 5000}))
    assert await scene.try_next(other) == "503", "the slot that is in use counts"
    scene.dispatcher.close(one, "served")
    assert sent(await scene.dispatcher.advance(scene.open()))["max_tokens"] == 5000


async def test_the_cooldown_of_a_table_stands_in_for_a_time(scene: Scene) -> None:
    scene.configure(provider("first", cooldown="7m"), SECOND, retry=NO_RETRIES)
    await walk(scene, scene.open(), "quota_model")
    assert scene.cooling == {"first/m": 420}
