"""The state as `/health` tells it: what matters, and no more, whatever clients and providers send."""

from __future__ import annotations

import json
from typing import Any

from turnout.credentials.chain import CredentialChain
from turnout.dialects.messages.refusals import Lesson
from turnout.dialects.messages.usage import read_usage
from turnout.gate.access import Gatekeeper
from turnout.health.verdict import Judgement, Verdict
from turnout.journey.dispatch import Dispatcher
from turnout.settings.model import Settings
from turnout.setup import Setup
from turnout.status.report import MOST_LISTED, snapshot
from turnout.usage.totals import UsageTotals

LONG = "m" * 250


def setup(*names: str) -> Setup:
    providers = {name: {"name": name, "base_url": "http://127.0.0.1:1"} for name in ("anthropic", *names)}
    settings = Settings.model_validate({"providers": providers})
    return Setup(settings, Gatekeeper(settings.access, ()), CredentialChain({}))


def fail(dispatcher: Dispatcher, provider: str, model: str, seconds: float) -> None:
    claim = dispatcher.cooldowns.claim(provider, "0123456789ab", model)
    assert claim
    dispatcher.cooldowns.failed(claim, Judgement(Verdict.THROTTLE, "429 throttle", retry_after=seconds))


def told(dispatcher: Dispatcher, chosen: Setup, usage: UsageTotals | None = None) -> dict[str, Any]:
    found: dict[str, Any] = snapshot(dispatcher, chosen, (usage or UsageTotals()).snapshot(), "9.9")
    return found


def test_the_cooldowns_that_last_longest_are_listed() -> None:
    dispatcher = Dispatcher()
    for number in range(MOST_LISTED + 5):
        fail(dispatcher, "mine", f"model-{number}", 60.0 + 10 * number)
    provider = told(dispatcher, setup("mine"))["providers"]["mine"]
    assert {entry["model"] for entry in provider["cooldowns"]} == {f"model-{n}" for n in range(5, MOST_LISTED + 5)}
    assert provider["left_out"] == {"cooldowns": 5, "learned": 0}


def test_a_short_list_keeps_its_order() -> None:
    dispatcher = Dispatcher()
    for model in "cab":
        fail(dispatcher, "mine", model, 60.0)
    provider = told(dispatcher, setup("mine"))["providers"]["mine"]
    assert [entry["model"] for entry in provider["cooldowns"]] == ["c", "a", "b"]
    assert provider["left_out"] == {"cooldowns": 0, "learned": 0}


def test_clients_and_providers_cannot_make_it_grow() -> None:
    dispatcher, usage = Dispatcher(), UsageTotals()
    counts = {f"invented-{'x' * 60}-{number}": number for number in range(1000)}
    reported = read_usage(json.dumps({"type": "message", "usage": counts}).encode())
    for number in range(1100):
        fail(dispatcher, "mine", f"{number}{LONG}", 60.0)
        if number < 550:
            dispatcher.knowledge.lessons.learn("mine", "messages", f"{number}{LONG}"[:200], [Lesson("drop", "tags")])
        usage.add("mine", f"{number}{LONG}", reported)
    health = told(dispatcher, setup("mine"), usage)
    provider = health["providers"]["mine"]
    assert provider["left_out"] == {"cooldowns": 1000 - MOST_LISTED, "learned": 500 - MOST_LISTED}
    assert len(json.dumps({**health, "usage": {}})) < 30_000
    assert len(json.dumps(health)) < 500_000


def test_statuses_of_a_provider_that_is_gone_are_forgotten() -> None:
    dispatcher = Dispatcher()
    for number in range(50):
        dispatcher.configure(setup(f"mine-{number}").settings)
        dispatcher.recent(f"mine-{number}")
    assert len(dispatcher._recent) <= 2
