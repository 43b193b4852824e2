"""How long credentials rest, what a cooldown covers, and the one probe after it."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from turnout.health.cooldown import QUOTA_DEFAULT, TRANSIENT_DEFAULT, Cooldowns, CooldownState
from turnout.health.verdict import Judgement, Verdict

START = 1_790_000_000.0
DAY = 86400.0
OPUS = ("anthropic", "env:KEY", "opus")
HAIKU = ("anthropic", "env:KEY", "haiku")
OTHER = ("anthropic", "client", "opus")


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cooldowns(clock: Clock) -> Cooldowns:
    return Cooldowns(clock, jitter=lambda: 0.0)


def failure(verdict: Verdict, *, until: float | None = None, retry_after: float | None = None) -> Judgement:
    return Judgement(verdict, f"because of {verdict}", until=until, retry_after=retry_after)


@pytest.mark.parametrize("verdict", [Verdict.QUOTA, Verdict.CREDENTIAL])
def test_a_credential_rests_as_a_whole(cooldowns: Cooldowns, verdict: Verdict) -> None:
    """B3: five minutes where the provider names no time."""
    assert cooldowns.failed(*OPUS, failure(verdict)) == START + QUOTA_DEFAULT == START + 300
    expected = CooldownState(verdict, f"because of {verdict}", START + 300, probing=False)
    assert cooldowns.state(*OPUS) == cooldowns.state(*HAIKU) == expected
    assert not cooldowns.claim(*HAIKU)
    assert cooldowns.state(*OTHER) is None
    assert cooldowns.claim(*OTHER)


@pytest.mark.parametrize(
    ("verdict", "seconds"),
    [
        (Verdict.QUOTA_MODEL, 300),
        (Verdict.THROTTLE, 60),
        (Verdict.OVERLOADED, 60),
        (Verdict.TRANSIENT, 60),
        (Verdict.NOT_FOUND, 60),
    ],
)
def test_a_model_rests_alone(cooldowns: Cooldowns, verdict: Verdict, seconds: float) -> None:
    """D5: each credential has its own cooldown per model."""
    assert cooldowns.failed(*OPUS, failure(verdict)) == START + seconds
    assert not cooldowns.claim(*OPUS)
    assert cooldowns.claim(*HAIKU)
    assert cooldowns.claim(*OTHER)


@pytest.mark.parametrize("verdict", [Verdict.OK, Verdict.REQUEST, Verdict.CANCELLED, Verdict.THROTTLE_REQUEST])
def test_verdicts_that_do_not_cool(cooldowns: Cooldowns, verdict: Verdict) -> None:
    assert cooldowns.failed(*OPUS, failure(verdict, retry_after=30.0)) is None
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
        (failure(Verdict.QUOTA, until=START + 365 * DAY), None, 8 * DAY),
        (failure(Verdict.THROTTLE, retry_after=1e12), None, 8 * DAY),
    ],
)
def test_length(cooldowns: Cooldowns, judgement: Judgement, default: float | None, seconds: float) -> None:
    """B3: reset headers beat the default."""
    assert cooldowns.failed(*OPUS, judgement, default) == START + seconds


@pytest.mark.parametrize(
    ("judgement", "longest"),
    [
        (failure(Verdict.QUOTA, until=START + 7200), 7205),
        (failure(Verdict.THROTTLE, retry_after=20.0), 22),
        (failure(Verdict.QUOTA), 330),
        (failure(Verdict.TRANSIENT), 66),
    ],
)
def test_jitter_only_lengthens(clock: Clock, judgement: Judgement, longest: float) -> None:
    assert Cooldowns(clock, jitter=lambda: 1.0).failed(*OPUS, judgement) == pytest.approx(START + longest)


def test_a_later_failure_never_shortens(cooldowns: Cooldowns) -> None:
    long = cooldowns.failed(*OPUS, failure(Verdict.THROTTLE, retry_after=500.0))
    assert cooldowns.failed(*OPUS, failure(Verdict.TRANSIENT)) == long
    assert cooldowns.state(*OPUS) == CooldownState(Verdict.THROTTLE, "because of throttle", START + 500, False)
    assert cooldowns.failed(*OPUS, failure(Verdict.TRANSIENT, retry_after=900.0)) == START + 900


def test_the_longest_of_model_and_credential_is_told(cooldowns: Cooldowns) -> None:
    cooldowns.failed(*OPUS, failure(Verdict.OVERLOADED))
    cooldowns.failed(*HAIKU, failure(Verdict.QUOTA))
    state = cooldowns.state(*OPUS)
    assert state is not None and state.verdict is Verdict.QUOTA


class TestProbe:
    @pytest.fixture(autouse=True)
    def _after_a_cooldown(self, cooldowns: Cooldowns, clock: Clock) -> None:
        cooldowns.failed(*OPUS, failure(Verdict.QUOTA))
        clock.now += QUOTA_DEFAULT
        assert cooldowns.state(*OPUS) is None
        assert cooldowns.claim(*OPUS)

    def test_one_at_a_time_whatever_the_model(self, cooldowns: Cooldowns) -> None:
        assert not cooldowns.claim(*OPUS)
        assert not cooldowns.claim(*HAIKU)
        state = cooldowns.state(*HAIKU)
        assert state is not None and state.probing

    def test_success_frees_all(self, cooldowns: Cooldowns) -> None:
        cooldowns.succeeded(*OPUS)
        assert all(cooldowns.claim(*key) for key in (OPUS, OPUS, HAIKU))

    def test_failure_cools_again(self, cooldowns: Cooldowns, clock: Clock) -> None:
        assert cooldowns.failed(*OPUS, failure(Verdict.QUOTA)) == clock.now + QUOTA_DEFAULT
        assert not cooldowns.claim(*OPUS)
        clock.now += QUOTA_DEFAULT
        assert cooldowns.claim(*OPUS)

    def test_a_fault_of_the_model_frees_the_probe_of_the_credential(self, cooldowns: Cooldowns) -> None:
        cooldowns.failed(*OPUS, failure(Verdict.OVERLOADED))
        assert not cooldowns.claim(*OPUS)
        assert cooldowns.claim(*HAIKU)
        assert not cooldowns.claim(*HAIKU)

    @pytest.mark.parametrize("verdict", [None, Verdict.REQUEST, Verdict.CANCELLED])
    def test_an_end_without_a_word_gives_it_back(self, cooldowns: Cooldowns, verdict: Verdict | None) -> None:
        if verdict is None:
            cooldowns.release(*OPUS)
        else:
            cooldowns.failed(*OPUS, failure(verdict))
        assert cooldowns.claim(*HAIKU)
        assert not cooldowns.claim(*OPUS)

    def test_a_probe_that_never_ends_is_forgotten(self, cooldowns: Cooldowns, clock: Clock) -> None:
        clock.now += 3599
        assert not cooldowns.claim(*OPUS)
        clock.now += 1
        assert cooldowns.claim(*OPUS)


class TestLastResort:
    @pytest.mark.parametrize("verdict", [Verdict.TRANSIENT, Verdict.OVERLOADED])
    def test_one_attempt_before_the_end(self, cooldowns: Cooldowns, verdict: Verdict) -> None:
        cooldowns.failed(*OPUS, failure(verdict))
        assert not cooldowns.claim(*OPUS)
        assert cooldowns.probe_anyway(*OPUS)
        assert not cooldowns.probe_anyway(*OPUS)
        cooldowns.release(*OPUS)
        assert not cooldowns.claim(*OPUS)
        assert cooldowns.probe_anyway(*OPUS)
        cooldowns.succeeded(*OPUS)
        assert cooldowns.claim(*OPUS)

    @pytest.mark.parametrize(
        "verdict", [Verdict.QUOTA, Verdict.QUOTA_MODEL, Verdict.CREDENTIAL, Verdict.THROTTLE, Verdict.NOT_FOUND]
    )
    def test_not_where_waiting_is_asked_for(self, cooldowns: Cooldowns, clock: Clock, verdict: Verdict) -> None:
        cooldowns.failed(*OPUS, failure(verdict))
        cooldowns.failed(*OPUS, failure(Verdict.TRANSIENT))
        assert not cooldowns.probe_anyway(*OPUS)
        clock.now += QUOTA_DEFAULT
        assert cooldowns.probe_anyway(*OPUS)
        assert not cooldowns.claim(*OPUS)


def test_next_free(cooldowns: Cooldowns, clock: Clock) -> None:
    """D3: what Retry-After is made of."""
    assert cooldowns.next_free([OPUS, OTHER]) is None
    cooldowns.failed(*OPUS, failure(Verdict.QUOTA))
    cooldowns.failed(*OTHER, failure(Verdict.TRANSIENT))
    assert cooldowns.next_free([OPUS, OTHER]) == START + TRANSIENT_DEFAULT
    assert cooldowns.next_free([OPUS, HAIKU]) == START + QUOTA_DEFAULT
    clock.now += 100
    assert cooldowns.claim(*OTHER)
    assert cooldowns.next_free([OTHER]) == clock.now


def test_snapshot(cooldowns: Cooldowns, clock: Clock) -> None:
    """A13: what /health shows."""
    cooldowns.failed(*OPUS, failure(Verdict.QUOTA))
    cooldowns.failed(*OTHER, failure(Verdict.TRANSIENT))
    clock.now += 20
    common = {"provider": "anthropic", "probing": False}
    quota, transient = Verdict.QUOTA.value, Verdict.TRANSIENT.value
    assert cooldowns.snapshot() == [
        common | {"credential": "env:KEY", "model": "*", "verdict": quota, "reason": "because of quota"}
        | {"until": START + 300, "remaining": 280.0},
        common | {"credential": "client", "model": "opus", "verdict": transient, "reason": "because of transient"}
        | {"until": START + 60, "remaining": 40.0},
    ]  # fmt: skip
    clock.now += 300
    assert cooldowns.snapshot() == []


def test_memory_is_bounded(cooldowns: Cooldowns, clock: Clock) -> None:
    """A client may name any number of models that do not exist."""
    for number in range(500):
        cooldowns.failed("p", "c", f"model-{number}", failure(Verdict.NOT_FOUND))
        clock.now += 61
    assert len(cooldowns._entries) <= 3600 / 61 + 3


class OneProbe(RuleBasedStateMachine):
    """Attempts in any order: after a failure nothing starts before its end, and then one attempt at a time."""

    MODELS = st.sampled_from(["opus", "haiku"])

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.cooldowns = Cooldowns(self.clock, jitter=lambda: 0.0)
        self.running: list[str] = []
        for model in ("opus", "haiku"):
            self.cooldowns.failed("p", "c", model, failure(Verdict.QUOTA))

    # Thirty steps of these stay below the hour after which an ended cooldown is forgotten.
    @rule(seconds=st.sampled_from([1.0, 59.0, 60.0, 110.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(model=MODELS, anyway=st.booleans())
    def start(self, model: str, anyway: bool) -> None:
        before = self.cooldowns.state("p", "c", model)
        start = self.cooldowns.probe_anyway if anyway else self.cooldowns.claim
        started = start("p", "c", model)
        if before is None:
            assert started
        elif started:
            assert anyway and not before.probing and before.verdict in (Verdict.OVERLOADED, Verdict.TRANSIENT)
        if started:
            self.running.append(model)

    @precondition(lambda self: self.running)
    @rule(verdict=st.sampled_from([None, *(verdict for verdict in Verdict if verdict is not Verdict.OK)]))
    def end(self, verdict: Verdict | None) -> None:
        model = self.running.pop(0)
        if verdict is None:
            self.cooldowns.release("p", "c", model)
            return
        until = self.cooldowns.failed("p", "c", model, failure(verdict))
        assert until is None or not self.cooldowns.claim("p", "c", model)

    @invariant()
    def one_probe_per_credential(self) -> None:
        assert len(self.running) <= 1
        assert any(entry["probing"] for entry in self.cooldowns.snapshot()) == bool(self.running)


OneProbe.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_at_most_one_probe = OneProbe.TestCase
