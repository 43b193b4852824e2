"""From the facts of a request to the ordered targets it may go to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase

from turnout.exchange import Target
from turnout.routing.facts import Facts
from turnout.routing.names import asked, matches
from turnout.settings.load import DEFAULT_PROVIDER
from turnout.settings.model import Condition, Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """The targets for one request, in order, and the name of the rule they come from."""

    route: str
    """What matched: `models.NAME`, `routes.INDEX`, `default` or `pinned`."""
    targets: tuple[Target, ...]


def parse_target(text: str) -> Target:
    """`provider` or `provider/model`; the model may itself hold slashes."""
    provider, _, model = text.partition("/")
    return Target(provider, model or None)


def make_plan(facts: Facts, settings: Settings, pinned: str | None = None) -> Plan:
    """The plan for a request: its custom model, else the first route that matches, else Anthropic.

    With `pinned` the plan is that one provider, with the model the matching rule would have asked of it.
    """
    plan = _matching(facts, settings)
    if pinned is None:
        return plan
    target = next((target for target in plan.targets if target.provider == pinned), Target(pinned))
    return Plan("pinned", (target,))


def with_tools_first(targets: tuple[Target, ...], facts: Facts, settings: Settings) -> tuple[Target, ...]:
    """The targets with those first that have Anthropic's tools in the request; else their order is kept."""
    if len(targets) < 2 or not (wanted := facts.server_tools):
        return targets

    def lacks(target: Target) -> bool:
        return not all(map(settings.providers[target.provider].rewrite.executes, wanted))

    return tuple(sorted(targets, key=lacks))


def _matching(facts: Facts, settings: Settings) -> Plan:
    custom = _custom(facts.model, settings.models)
    if custom is not None:
        return Plan(f"models.{custom}", tuple(map(parse_target, settings.models[custom].to)))
    for index, route in enumerate(settings.routes):
        if matches(facts.model, route.model) and (route.when is None or holds(route.when, facts)):
            return Plan(f"routes.{index}", tuple(map(parse_target, route.to)))
    return Plan("default", (Target(DEFAULT_PROVIDER),))


def _custom(model: str, known: Collection[str]) -> str | None:
    """The custom model that is meant: like the globs of routes, without regard to case and to a `[1m]` suffix."""
    if model in known:
        return model
    name = asked(model).name.lower()
    return next((custom for custom in known if custom.lower() == name), None)


def holds(condition: Condition, facts: Facts) -> bool:
    """Whether everything the condition asks for is so. Cheap questions come first."""
    checks: tuple[tuple[object, Callable[[], bool]], ...] = (
        (condition.stream, lambda: facts.stream == condition.stream),
        (condition.class_, lambda: facts.request_class in (condition.class_ or ())),
        (condition.agent, lambda: _any_glob((facts.agent,), condition.agent)),
        (condition.tokens_over, lambda: facts.tokens > (condition.tokens_over or 0)),
        (condition.thinking, lambda: facts.thinking == condition.thinking),
        (condition.tools, lambda: _any_glob(facts.tools, condition.tools)),
        (condition.images, lambda: facts.images == condition.images),
    )
    return all(asked is None or check() for asked, check in checks)


def _any_glob(words: tuple[str, ...], globs: tuple[str, ...] | None) -> bool:
    return any(fnmatchcase(word, glob) for word in words if word for glob in globs or ())
