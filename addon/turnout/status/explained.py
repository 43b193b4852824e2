"""What would become of a request at each target of its plan: addresses, headers and a diff of its body as text lines.

Nothing is sent, and no credential is needed: what a credential adds to a request is not part of the picture.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from turnout.credentials.chain import NO_KEY
from turnout.exchange import ClientRequest, Exchange, Outgoing, Target
from turnout.health.affinity import Affinity
from turnout.journey.candidates import model_of
from turnout.journey.knowledge import Knowledge
from turnout.journey.missing import looked_for, remedy
from turnout.providers import KINDS
from turnout.routing.facts import Facts
from turnout.routing.plan import Plan, make_plan, with_tools_first
from turnout.settings.address import USUAL_PORTS
from turnout.settings.model import Provider, Settings
from turnout.settings.toml_lines import merged_rules
from turnout.status.outline import outline, size_in_words
from turnout.status.text import usable
from turnout.wire.difference import diff
from turnout.wire.splice import top_level

BETA_HEADER = "anthropic-beta"

CredentialStates = Callable[[Provider], Sequence[tuple[str, str]]]
"""Label and state of each credential of a provider, as far as they are known."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one target would be sent."""

    target: str
    url: str
    rules: tuple[str, ...]
    """Names of the rules that changed the body."""
    betas: tuple[str | None, str | None]
    """The `anthropic-beta` header as the client sends it and as it goes on; None where there is none."""
    body: tuple[bytes, bytes]
    """As the client sends it and as it goes on, or as it is translated from there."""
    translated: bytes | None = None
    """What goes on where the provider speaks another API than the client."""
    lost: tuple[str, ...] = ()
    """Top-level fields that the other API has no word for."""
    learned: tuple[str, ...] = ()
    """Lines of configuration for what the provider has refused before."""


def plan_of(request: ClientRequest, settings: Settings, pinned: str | None, affinity: Affinity | None = None) -> Plan:
    """The targets in the order in which they would be tried. Raises InvalidRequest when the request names no model."""
    facts = Facts(request)
    plan = make_plan(facts, settings, pinned)
    preferred = plan.targets
    if affinity is not None:
        session = Exchange(request=request, endpoint="messages").session
        preferred = affinity.prefer(
            session, plan.route, preferred, prompt=facts.prompt, begins_turn=lambda: facts.begins_turn
        )
    return Plan(plan.route, with_tools_first(preferred, facts, settings))


def heading(request: ClientRequest, plan: Plan) -> str:
    """`claude-opus-4-6 · 124 bytes · route routes.0 → minimax, anthropic`."""
    targets = ", ".join(map(str, plan.targets))
    return f"{request.model} · {size_in_words(len(request.body))} · route {plan.route} → {targets}"


def explain_plan(
    request: ClientRequest, plan: Plan, settings: Settings, knowledge: Knowledge, states: CredentialStates
) -> Iterator[str]:
    """The explanations of all targets, line by line, an empty line before each.

    Raises ValueError or RecursionError for a body that cannot be read as JSON.
    """
    for target in plan.targets:
        yield ""
        first, *rest = lines(explain_target(request, target, settings, knowledge))
        yield first
        yield from _without_credential(settings, settings.providers[target.provider], states)
        yield from rest


def explain_as_json(request: ClientRequest, plan: Plan, settings: Settings, knowledge: Knowledge) -> str:
    """What every target would be sent, with whole bodies, as one JSON list.

    Raises ValueError or RecursionError for a body that cannot be read as JSON.
    """
    found = (explain_target(request, target, settings, knowledge) for target in plan.targets)
    return json.dumps([_fields(explanation) for explanation in found], indent=2)


def _fields(explanation: Explanation) -> dict[str, Any]:
    return {
        "target": explanation.target,
        "url": explanation.url,
        "rules": explanation.rules,
        "learned": explanation.learned,
        "lost": explanation.lost,
        "betas": explanation.betas[1],
        "body": json.loads(explanation.body[1] if explanation.translated is None else explanation.translated),
    }


def _without_credential(settings: Settings, provider: Provider, states: CredentialStates) -> Iterator[str]:
    """A note for a target that would be skipped. The client may bring a credential where the provider takes one."""
    if any(reference.source == "client" for reference in provider.credentials):
        return
    if not usable(states(provider)):
        skipped = f"no credential found ({looked_for(provider)}): this target would be skipped"
        yield f"{skipped}. {remedy(settings, provider)}"


def explain_target(request: ClientRequest, target: Target, settings: Settings, knowledge: Knowledge) -> Explanation:
    """Prepares the request for a target as the proxy does, and compares."""
    provider = settings.providers[target.provider]
    model = model_of(target, provider, request.model)
    shaping = knowledge.shaping(provider, model, knowledge.known(provider, "messages", model))
    exchange = Exchange(request=request, endpoint="messages", plan=(target,))
    sending = KINDS[provider.kind].prepare(exchange, provider, model, NO_KEY, shaping)
    outgoing = sending.outgoing
    sent = request.headers.get(BETA_HEADER)
    lessons = knowledge.lessons.known(provider.name, "messages", model) if provider.learns else ()
    made = sending.translated_from
    lost = tuple(name for name in top_level(made or b"") or () if name in sending.left_out)
    return Explanation(
        target=str(target),
        url=_url(outgoing),
        rules=sending.changes,
        betas=(sent, _header(outgoing, BETA_HEADER, sent)),
        body=(request.body, outgoing.body if made is None else made),
        translated=None if made is None else outgoing.body,
        lost=lost,
        learned=tuple(merged_rules(lesson.line(model) for lesson in lessons)),
    )


def _url(outgoing: Outgoing) -> str:
    host = f"[{outgoing.host}]" if ":" in outgoing.host else outgoing.host
    port = "" if outgoing.port == USUAL_PORTS[outgoing.scheme] else f":{outgoing.port}"
    return f"{outgoing.scheme}://{host}{port}{outgoing.path}"


def _header(outgoing: Outgoing, name: str, sent: str | None) -> str | None:
    return dict(outgoing.add).get(name, None if name in outgoing.drop else sent)


def lines(explanation: Explanation) -> Iterator[str]:
    """An explanation as lines; those of the diffs begin with `-`, `+`, a blank or `@@`."""
    yield f"{explanation.target}: POST {explanation.url}"
    if explanation.rules:
        yield f"rules: {', '.join(explanation.rules)}"
    if explanation.learned:
        yield f"learned: {'; '.join(explanation.learned)}"
    before, after = explanation.betas
    if before != after:
        yield from (f"{sign} {BETA_HEADER}: {value}" for sign, value in (("-", before), ("+", after)) if value)
    old, new = explanation.body
    if old == new:
        yield "body: identical"
    else:
        yield from tuple(diff(old, new)) or ("body: identical but for blanks, escapes or keys given twice",)
    if explanation.translated is not None:
        lost = f", without {', '.join(explanation.lost)}" if explanation.lost else ""
        yield f"then translated to Chat Completions: {size_in_words(len(explanation.translated))}{lost}"
        yield from outline(explanation.translated)
