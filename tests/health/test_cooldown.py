"""How long credentials rest, what a cooldown covers, and the one probe after it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.health.conftest import START, Clock
from turnout.health.cooldown import MOST_KEPT, QUOTA_DEFAULT, TRANSIENT_DEFAULT, Claim, Cooldowns, CooldownState
from turnout.health.verdict import Judgement, Verdict

DAY = 86400.0
OPUS = ("anthropic", "env:KEY", "opus")
HAIKU = ("anthropic", "env:KEY", "haiku")
OTHER = ("anthropic", "client", "opus")


@pytest.fixture
def cooldowns(clock: Clock) -> Cooldowns:
    return Cooldowns(clock, jitter=lambda: 0.0)


def failure(verdict: Verdict, *, until: float | None = None, retry_after: float | None = None) -> Judgement:
    return Judgement(verdict, f"because of {verdict}", until=until, retry_after=retry_after)


def start(cooldowns: Cooldowns, key: tuple[str, str, str]) -> Claim:
    claim = cooldowns.claim(*key)
    assert claim
    return claim


def fail(
    cooldowns: Cooldowns, key: tuple[str, str, str], judgement: Judgement, default: float | None = None
) -> float | None:
    """One attempt that starts and fails."""
    return cooldowns.failed(start(cooldowns, key), judgement, default)


@pytest.mark.parametrize("verdict", [Verdict.QUOTA, Verdict.CREDENTIAL])
def test_a_credential_rests_as_a_whole(cooldowns: Cooldowns, verdict: Verdict) -> None:
    """B3: five minutes where the provider names no time."""
    assert fail(cooldowns, OPUS, failure(verdict)) == START + QUOTA_DEFAULT == START + 300
    expected = CooldownState(verdict, f"because of {verdict}", START + 300, probing=False)
    assert cooldowns.state(*OPUS) == cooldowns.state(*HAIKU) == expected
    assert not cooldowns.claim(*HAIKU)
    assert cooldowns.state(*OTHER) is None
    assert cooldowns.claim(*OTHER)


@pytest.mark.parametrize(
    ("verdict", "seconds"),
    [
        (Verdict.QUOTA_MODEL, 300),
        (Verdict.THROTTLE, 20),
        (Verdict.OVERLOADED, 20),
        (Verdict.TRANSIENT, 20),
        (Verdict.NOT_FOUND, 60),
    ],
)
def test_a_model_rests_alone(cooldowns: Cooldowns, verdict: Verdict, seconds: float) -> None:
    """D5: each credential has its own cooldown per model."""
    assert fail(cooldowns, OPUS, failure(verdict)) == START + seconds
    assert not cooldowns.claim(*OPUS)
    assert cooldowns.claim(*HAIKU)
    assert cooldowns.claim(*OTHER)


@pytest.mark.parametrize("verdict", [Verdict.OK, Verdict.REQUEST, Verdict.CANCELLED, Verdict.THROTTLE_REQUEST])
def test_verdicts_that_do_not_cool(cooldowns: Cooldowns, verdict: Verdict) -> None:
    assert fail(cooldowns, OPUS, failure(verdict, retry_after=30.0)) is None
    assert cooldowns.state(*OPUS) is None
    assert cooldowns.snapshot() == []


@pytest.mark.parametrize(
    ("judgement", "default", "seconds"),
    [
        (failure(Verdict.QUOTA, until=START + 7200, retry_after=5.0), 10.0, 7200),
        (failure(Verdict.QUOTA, until=START - 5, retry_after=5.0), 10.0, 5),
        (failure(Verdict.THROTTLE, retry_after=5.0), 10.0, 5),
        (failure(Verdict.THROTTLE), 10.0, 10),
        (failure(Verdict.QUOTA), 10.0, 10),
        (failure(Verdict.QUOTA, until=START + 7 * DAY), None, 7 * DAY),
        (failure(Verdict.THROTTLE, retry_after=3600.0), None, 3600),
    ],
)
def test_length(cooldowns: Cooldowns, judgement: Judgement, default: float | None, seconds: float) -> None:
    """B3: reset headers beat the default."""
    assert fail(cooldowns, OPUS, judgement, default) == START + seconds


@pytest.mark.parametrize(
    ("judgement", "longest"),
    [
        (failure(Verdict.QUOTA, until=START + 7200), 7205),
        (failure(Verdict.THROTTLE, retry_after=20.0), 22),
        (failure(Verdict.THROTTLE, retry_after=3599.0), 3600),
        (failure(Verdict.QUOTA), 330),
        (failure(Verdict.TRANSIENT), 22),
        # Claude Code waits for a minute, and ends its turn at 61.
        (failure(Verdict.THROTTLE, retry_after=58.0), 60),
        (failure(Verdict.THROTTLE, retry_after=61.0), 66),
    ],
)
def test_jitter_only_lengthens(clock: Clock, judgement: Judgement, longest: float) -> None:
    until = fail(Cooldowns(clock, jitter=lambda: 1.0), OPUS, judgement)
    assert until is not None and until - START == pytest.approx(longest)


def test_a_later_failure_never_shortens(cooldowns: Cooldowns) -> None:
    first, second, third = (start(cooldowns, OPUS) for _ in range(3))
    long = cooldowns.failed(first, failure(Verdict.THROTTLE, retry_after=500.0))
    assert cooldowns.failed(second, failure(Verdict.TRANSIENT)) == long
    expected = CooldownState(Verdict.THROTTLE, "because of throttle", START + 500, False, told=True)
    assert cooldowns.state(*OPUS) == expected
    assert cooldowns.failed(third, failure(Verdict.TRANSIENT, retry_after=900.0)) == START + 900


def test_the_longest_of_model_and_credential_is_told(cooldowns: Cooldowns) -> None:
    opus, haiku = start(cooldowns, OPUS), start(cooldowns, HAIKU)
    cooldowns.failed(opus, failure(Verdict.OVERLOADED))
    cooldowns.failed(haiku, failure(Verdict.QUOTA))
    state = cooldowns.state(*OPUS)
    assert state is not None and state.verdict is Verdict.QUOTA


class TestProbe:
    @pytest.fixture
    def probe(self, cooldowns: Cooldowns, clock: Clock) -> Claim:
        fail(cooldowns, OPUS, failure(Verdict.QUOTA))
        clock.now += QUOTA_DEFAULT
        assert cooldowns.state(*OPUS) is None
        return start(cooldowns, OPUS)

    def test_one_at_a_time_whatever_the_model(self, cooldowns: Cooldowns, probe: Claim) -> None:
        assert not cooldowns.claim(*OPUS)
        assert not cooldowns.claim(*HAIKU)
        state = cooldowns.state(*HAIKU)
        assert state is not None and state.probing

    def test_success_frees_all(self, cooldowns: Cooldowns, probe: Claim) -> None:
        cooldowns.succeeded(probe)
        assert all(cooldowns.claim(*key) for key in (OPUS, OPUS, HAIKU))

    def test_failure_cools_again(self, cooldowns: Cooldowns, clock: Clock, probe: Claim) -> None:
        assert cooldowns.failed(probe, failure(Verdict.QUOTA)) == clock.now + QUOTA_DEFAULT
        assert not cooldowns.claim(*OPUS)
        clock.now += QUOTA_DEFAULT
        assert cooldowns.claim(*OPUS)

    def test_a_fault_of_the_model_frees_the_probe_of_the_credential(self, cooldowns: Cooldowns, probe: Claim) -> None:
        cooldowns.failed(probe, failure(Verdict.OVERLOADED))
        assert not cooldowns.claim(*OPUS)
        assert cooldowns.claim(*HAIKU)
        assert not cooldowns.claim(*HAIKU)

    @pytest.mark.parametrize("verdict", [None, Verdict.REQUEST, Verdict.CANCELLED])
    def test_an_end_without_a_word_gives_it_back(
        self, cooldowns: Cooldowns, probe: Claim, verdict: Verdict | None
    ) -> None:
        if verdict is None:
            cooldowns.release(probe)
        else:
            cooldowns.failed(probe, failure(verdict))
        assert cooldowns.claim(*HAIKU)
        assert not cooldowns.claim(*OPUS)

    def test_a_probe_that_never_ends_is_forgotten(self, cooldowns: Cooldowns, clock: Clock, probe: Claim) -> None:
        clock.now += 3599
        assert not cooldowns.claim(*OPUS)
        clock.now += 1
        next_probe = start(cooldowns, OPUS)
        cooldowns.release(probe)
        assert not cooldowns.claim(*OPUS)
        cooldowns.release(next_probe)
        assert cooldowns.claim(*OPUS)

    def test_a_late_probe_has_its_hour_too(self, cooldowns: Cooldowns, clock: Clock, probe: Claim) -> None:
        cooldowns.release(probe)
        clock.now += 3599
        late = start(cooldowns, OPUS)
        clock.now += 120
        fail(cooldowns, OTHER, failure(Verdict.QUOTA))  # old entries go on such an occasion
        assert not cooldowns.claim(*OPUS)
        cooldowns.succeeded(late)
        assert cooldowns.claim(*OPUS)


class TestAttemptsSideBySide:
    """B3: a cooldown is ended only by an attempt that started after it was recorded."""

    def test_an_older_success_leaves_a_newer_cooldown(self, cooldowns: Cooldowns) -> None:
        older, newer = start(cooldowns, OPUS), start(cooldowns, OPUS)
        until = cooldowns.failed(newer, failure(Verdict.QUOTA, until=START + 5 * 3600))
        cooldowns.succeeded(older)
        state = cooldowns.state(*OPUS)
        assert state is not None and state.until == until == START + 5 * 3600
        assert not cooldowns.claim(*OPUS)

    def test_a_failure_that_lengthens_nothing_is_newer_too(self, cooldowns: Cooldowns) -> None:
        first, second = start(cooldowns, OPUS), start(cooldowns, OPUS)
        cooldowns.failed(first, failure(Verdict.OVERLOADED))
        probe = cooldowns.probe_anyway(*OPUS)
        assert probe
        cooldowns.failed(second, failure(Verdict.TRANSIENT, retry_after=5.0))
        assert not cooldowns.probe_anyway(*OPUS)  # the first one is under way still
        cooldowns.succeeded(probe)
        assert cooldowns.state(*OPUS) == CooldownState(
            Verdict.OVERLOADED, "because of overloaded", START + TRANSIENT_DEFAULT, probing=False
        )

    def test_a_newer_cooldown_of_the_credential_outlives_a_probe_of_the_model(
        self, cooldowns: Cooldowns, clock: Clock
    ) -> None:
        haiku = start(cooldowns, HAIKU)
        fail(cooldowns, OPUS, failure(Verdict.OVERLOADED))
        clock.now += TRANSIENT_DEFAULT
        probe = start(cooldowns, OPUS)
        cooldowns.failed(haiku, failure(Verdict.QUOTA))
        cooldowns.succeeded(probe)
        assert [(entry["model"], entry["verdict"]) for entry in cooldowns.snapshot()] == [("*", "quota")]

    @pytest.mark.parametrize("verdict", [None, Verdict.REQUEST, Verdict.OK])
    def test_only_the_probe_gives_the_probe_back(
        self, cooldowns: Cooldowns, clock: Clock, verdict: Verdict | None
    ) -> None:
        bystander = start(cooldowns, OPUS)
        fail(cooldowns, OPUS, failure(Verdict.QUOTA))
        clock.now += QUOTA_DEFAULT
        probe = start(cooldowns, OPUS)
        if verdict is None:
            cooldowns.release(bystander)
        elif verdict is Verdict.OK:
            cooldowns.succeeded(bystander)
        else:
            cooldowns.failed(bystander, failure(verdict))
        assert not cooldowns.claim(*OPUS)
        assert not cooldowns.probe_anyway(*OPUS)
        cooldowns.release(probe)
        assert cooldowns.claim(*OPUS)

    @pytest.mark.parametrize("end", ["release", "succeeded", "failed"])
    def test_an_ended_claim_is_inert(self, cooldowns: Cooldowns, clock: Clock, end: str) -> None:
        fail(cooldowns, OPUS, failure(Verdict.QUOTA))
        clock.now += QUOTA_DEFAULT
        probe = start(cooldowns, OPUS)
        if end == "release":
            cooldowns.release(probe)
        elif end == "succeeded":
            cooldowns.succeeded(probe)
        else:
            cooldowns.failed(probe, failure(Verdict.OVERLOADED))
        left = cooldowns.snapshot()
        next_probe = cooldowns.claim(*HAIKU)
        during = cooldowns.snapshot()
        assert cooldowns.failed(probe, failure(Verdict.QUOTA)) is None
        cooldowns.succeeded(probe)
        cooldowns.release(probe)
        assert cooldowns.snapshot() == during
        assert next_probe
        cooldowns.release(next_probe)
        assert cooldowns.snapshot() == left

    def test_a_claim_tells_what_and_when(self, cooldowns: Cooldowns, clock: Clock) -> None:
        clock.now += 7
        claim = start(cooldowns, OPUS)
        assert ((claim.provider, claim.credential, claim.model), claim.at) == (OPUS, START + 7)


class TestForget:
    """B7: a provider whose configuration changed starts afresh."""

    def test_all_entries_of_the_provider_go(self, cooldowns: Cooldowns) -> None:
        elsewhere = ("zai", "env:KEY", "opus")
        for key in (OPUS, OTHER, elsewhere):
            fail(cooldowns, key, failure(Verdict.QUOTA))
        cooldowns.forget("anthropic")
        assert [entry["provider"] for entry in cooldowns.snapshot()] == ["zai"]
        assert cooldowns.claim(*OPUS) and cooldowns.claim(*OTHER)
        assert not cooldowns.claim(*elsewhere)

    def test_attempts_under_the_old_configuration_say_nothing_about_the_new_one(self, cooldowns: Cooldowns) -> None:
        old, elsewhere = start(cooldowns, OPUS), start(cooldowns, ("zai", "env:KEY", "opus"))
        cooldowns.forget("anthropic")
        assert cooldowns.failed(old, failure(Verdict.CREDENTIAL)) is None
        assert cooldowns.snapshot() == []
        assert cooldowns.failed(elsewhere, failure(Verdict.CREDENTIAL)) is not None


class TestNarrowJudgements:
    def test_what_only_this_request_asks_for_cools_nothing(self, cooldowns: Cooldowns) -> None:
        missing = Judgement(Verdict.NOT_FOUND, "404 not_found_error", retry_after=60.0, cools=False)
        assert fail(cooldowns, OPUS, missing) is None
        assert cooldowns.claim(*OPUS)

    def test_a_credential_refused_for_one_model_serves_the_others(self, cooldowns: Cooldowns) -> None:
        forbidden = Judgement(Verdict.CREDENTIAL, "403 permission_error", model_only=True)
        assert fail(cooldowns, OPUS, forbidden) == START + QUOTA_DEFAULT
        assert not cooldowns.claim(*OPUS)
        assert cooldowns.claim(*HAIKU)


class TestLastResort:
    @pytest.mark.parametrize("verdict", [Verdict.TRANSIENT, Verdict.OVERLOADED, Verdict.THROTTLE])
    def test_one_attempt_before_the_end(self, cooldowns: Cooldowns, verdict: Verdict) -> None:
        fail(cooldowns, OPUS, failure(verdict))
        assert not cooldowns.claim(*OPUS)
        probe = cooldowns.probe_anyway(*OPUS)
        assert probe
        assert not cooldowns.probe_anyway(*OPUS)
        cooldowns.release(probe)
        assert not cooldowns.claim(*OPUS)
        again = cooldowns.probe_anyway(*OPUS)
        assert again
        cooldowns.succeeded(again)
        assert cooldowns.claim(*OPUS)

    @pytest.mark.parametrize(
        ("verdict", "retry_after"),
        [
            (Verdict.QUOTA, None),
            (Verdict.QUOTA_MODEL, None),
            (Verdict.CREDENTIAL, None),
            (Verdict.THROTTLE, 300.0),
            (Verdict.NOT_FOUND, None),
        ],
    )
    def test_not_where_waiting_is_asked_for(
        self, cooldowns: Cooldowns, clock: Clock, verdict: Verdict, retry_after: float | None
    ) -> None:
        first, second = start(cooldowns, OPUS), start(cooldowns, OPUS)
        cooldowns.failed(first, failure(verdict, retry_after=retry_after))
        cooldowns.failed(second, failure(Verdict.TRANSIENT))
        assert not cooldowns.probe_anyway(*OPUS)
        clock.now += QUOTA_DEFAULT
        assert cooldowns.probe_anyway(*OPUS)
        assert not cooldowns.claim(*OPUS)


class TestLongRests:
    """No credential rests for more than an hour without a probe, whatever was told."""

    WEEK = 6.5 * DAY

    @pytest.mark.parametrize("verdict", [Verdict.QUOTA, Verdict.QUOTA_MODEL])
    def test_one_probe_an_hour(self, cooldowns: Cooldowns, clock: Clock, verdict: Verdict) -> None:
        told = failure(verdict, until=START + self.WEEK)
        assert fail(cooldowns, OPUS, told) == START + self.WEEK, "people are told when the quota ends"
        for hour in range(1, 5):
            clock.now = START + hour * 3600 - 1
            assert not cooldowns.claim(*OPUS)
            clock.now = START + hour * 3600
            probe = cooldowns.claim(*OPUS)
            assert probe and not cooldowns.claim(*OPUS), "one at a time"
            state = cooldowns.state(*OPUS)
            assert state is not None and state.probing and state.until == START + self.WEEK
            cooldowns.failed(probe, told)

    def test_a_probe_that_is_served_ends_it(self, cooldowns: Cooldowns, clock: Clock) -> None:
        fail(cooldowns, OPUS, failure(Verdict.QUOTA, until=START + self.WEEK))
        clock.now += 3600
        cooldowns.succeeded(start(cooldowns, OPUS))
        assert cooldowns.state(*HAIKU) is None and cooldowns.claim(*HAIKU)

    def test_a_probe_that_fails_otherwise_keeps_what_was_told(self, cooldowns: Cooldowns, clock: Clock) -> None:
        fail(cooldowns, OPUS, failure(Verdict.QUOTA_MODEL, until=START + self.WEEK))
        clock.now += 3600
        assert fail(cooldowns, OPUS, failure(Verdict.TRANSIENT)) == START + self.WEEK
        assert not cooldowns.claim(*OPUS)

    def test_what_is_shown_is_how_long_nothing_starts(self, cooldowns: Cooldowns) -> None:
        fail(cooldowns, OPUS, failure(Verdict.QUOTA, until=START + self.WEEK))
        (shown,) = cooldowns.snapshot()
        assert (shown["until"], shown["ends_in"], shown["remaining"]) == (START + self.WEEK, self.WEEK, 3600.0)


class TestOutages:
    DEADLINE = Judgement(Verdict.TRANSIENT, "no first event", timed_out=True)

    def test_those_whose_probes_cost_a_deadline_are_probed_less_and_less(
        self, cooldowns: Cooldowns, clock: Clock
    ) -> None:
        lengths = []
        for _ in range(4):
            until = fail(cooldowns, OPUS, self.DEADLINE)
            assert until is not None
            lengths.append(until - clock.now)
            clock.now = until + 5
        assert lengths == [20, 40, 60, 60]
        cooldowns.succeeded(start(cooldowns, OPUS))
        assert fail(cooldowns, OPUS, self.DEADLINE) == clock.now + 20

    def test_those_that_answer_at_once_are_not(self, cooldowns: Cooldowns, clock: Clock) -> None:
        for _ in range(4):
            assert fail(cooldowns, OPUS, failure(Verdict.OVERLOADED)) == clock.now + 20
            clock.now += 20

    def test_a_configured_length_stays(self, cooldowns: Cooldowns, clock: Clock) -> None:
        for _ in range(3):
            assert fail(cooldowns, OPUS, self.DEADLINE, 90.0) == clock.now + 90
            clock.now += 90


def test_snapshot(cooldowns: Cooldowns, clock: Clock) -> None:
    """A13: what /health shows."""
    fail(cooldowns, OPUS, failure(Verdict.QUOTA))
    fail(cooldowns, OTHER, failure(Verdict.TRANSIENT))
    clock.now += 15
    common = {"provider": "anthropic", "probing": False}
    quota, transient = Verdict.QUOTA.value, Verdict.TRANSIENT.value
    assert cooldowns.snapshot() == [
        common | {"credential": "env:KEY", "model": "*", "verdict": quota, "reason": "because of quota"}
        | {"until": START + 300, "remaining": 285.0, "ends_in": 285.0},
        common | {"credential": "client", "model": "opus", "verdict": transient, "reason": "because of transient"}
        | {"until": START + 20, "remaining": 5.0, "ends_in": 5.0},
    ]  # fmt: skip
    clock.now += 300
    assert cooldowns.snapshot() == []


def test_memory_is_bounded(cooldowns: Cooldowns, clock: Clock) -> None:
    """A client may name any number of models that do not exist."""
    for number in range(500):
        fail(cooldowns, ("p", "c", f"model-{number}"), failure(Verdict.NOT_FOUND))
        clock.now += 61
    assert len(cooldowns._entries) <= 3600 / 61 + 3


def test_of_too_many_those_that_end_first_are_forgotten(clock: Clock) -> None:
    cooldowns = Cooldowns(clock, jitter=lambda: 0.0)
    fail(cooldowns, OPUS, failure(Verdict.QUOTA, until=START + 7200))
    for number in range(MOST_KEPT + 100):
        fail(cooldowns, ("p", f"key-{number % 7}", f"model-{number}"), failure(Verdict.NOT_FOUND))
        clock.now += 0.001
    assert len(cooldowns._entries) == MOST_KEPT
    assert not cooldowns.claim(*OPUS), "a quota lasts, whatever clients ask for"
    newest = MOST_KEPT + 99
    assert not cooldowns.claim("p", f"key-{newest % 7}", f"model-{newest}")
    assert cooldowns.claim("p", "key-0", "model-0")


def test_the_newest_is_never_the_one_that_is_forgotten(clock: Clock) -> None:
    cooldowns = Cooldowns(clock, jitter=lambda: 0.0, capacity=1)
    fail(cooldowns, OPUS, failure(Verdict.QUOTA_MODEL))
    fail(cooldowns, HAIKU, failure(Verdict.THROTTLE))
    assert not cooldowns.claim(*HAIKU)
    assert cooldowns.claim(*OPUS)


def test_a_probe_is_never_forgotten(clock: Clock) -> None:
    cooldowns = Cooldowns(clock, jitter=lambda: 0.0, capacity=2)
    fail(cooldowns, OPUS, failure(Verdict.OVERLOADED))
    clock.now += TRANSIENT_DEFAULT
    probe = start(cooldowns, OPUS)
    for number in range(10):
        fail(cooldowns, ("p", "c", f"model-{number}"), failure(Verdict.QUOTA_MODEL))
    assert not cooldowns.claim(*OPUS), "one probe at a time"
    cooldowns.succeeded(probe)
    assert cooldowns.claim(*OPUS) and len(cooldowns._entries) == 1


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([None, *Verdict]), st.sampled_from([0.0, 61.0]))))
def test_bounded_whatever_happens(steps: list[tuple[int, Verdict | None, float]]) -> None:
    """A claim whose cooldown was forgotten ends like any other."""
    clock = Clock()
    cooldowns = Cooldowns(clock, jitter=lambda: 0.0, capacity=3)
    under_way: list[Claim] = []
    for number, verdict, seconds in steps:
        clock.now += seconds
        claim = cooldowns.claim("p", "c", f"model-{number}")
        if claim is not None:
            under_way.append(claim)
        if verdict is Verdict.OK and under_way:
            cooldowns.succeeded(under_way.pop(0))
        elif verdict is not None and under_way:
            cooldowns.failed(under_way.pop(0), failure(verdict))
        probing = sum(entry.probing for entry in cooldowns._entries.values())
        assert len(cooldowns._entries) <= max(3, probing + 1)
    for claim in under_way:
        cooldowns.release(claim)
    assert not any(entry.probing for entry in cooldowns._entries.values())


class OneProbe(RuleBasedStateMachine):
    """Attempts in any order: after a failure nothing starts before its end, and then one attempt at a time."""

    MODELS = st.sampled_from(["opus", "haiku"])
    ENDS = st.sampled_from([None, *Verdict])

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.cooldowns = Cooldowns(self.clock, jitter=lambda: 0.0)
        self.probes: list[Claim] = []
        self.bystanders = [start(self.cooldowns, ("p", "c", model)) for model in ("opus", "haiku") * 2]
        for model in ("opus", "haiku"):
            claim = start(self.cooldowns, ("p", "c", model))
            self.cooldowns.failed(claim, failure(Verdict.OVERLOADED))
        fail(self.cooldowns, ("p", "c", "sonnet"), failure(Verdict.QUOTA))

    # Thirty steps of these stay below the hour after which an ended cooldown is forgotten.
    @rule(seconds=st.sampled_from([1.0, 59.0, 60.0, 110.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(model=MODELS, anyway=st.booleans())
    def start(self, model: str, anyway: bool) -> None:
        before = self.cooldowns.state("p", "c", model)
        begin = self.cooldowns.probe_anyway if anyway else self.cooldowns.claim
        claim = begin("p", "c", model)
        if before is None:
            assert claim
        elif claim:
            assert anyway and not before.probing and before.verdict in (
                Verdict.OVERLOADED,
                Verdict.TRANSIENT,
                Verdict.THROTTLE,
            )
        if claim:
            (self.probes if claim.entries else self.bystanders).append(claim)

    @precondition(lambda self: self.probes)
    @rule(verdict=ENDS)
    def probe_ends(self, verdict: Verdict | None) -> None:
        self.end(self.probes.pop(0), verdict)

    @precondition(lambda self: self.bystanders)
    @rule(verdict=ENDS)
    def bystander_ends(self, verdict: Verdict | None) -> None:
        claim = self.bystanders.pop(0)
        before = self.cooldowns.snapshot()
        until = self.end(claim, verdict)
        if until is None and not claim.entries:
            assert self.cooldowns.snapshot() == before

    def end(self, claim: Claim, verdict: Verdict | None) -> float | None:
        if verdict is Verdict.OK:
            self.cooldowns.succeeded(claim)
        elif verdict is None:
            self.cooldowns.release(claim)
        else:
            until = self.cooldowns.failed(claim, failure(verdict))
            assert until is None or not self.cooldowns.claim("p", "c", claim.model)
            return until
        return None

    @invariant()
    def one_probe_per_model(self) -> None:
        for model in ("opus", "haiku"):
            assert sum(probe.model == model for probe in self.probes) <= 1


OneProbe.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_at_most_one_probe = OneProbe.TestCase
