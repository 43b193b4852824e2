"""What would become of a request at each target of its plan: addresses, headers and a diff of its body as text lines.

Nothing is sent, and no credential is needed: what a credential adds to a request is not part of the picture.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from turnout.exchange import ClientRequest, Outgoing, Target
    from turnout.journey.knowledge import Knowledge
    from turnout.settings.model import Settings

BETA_HEADER = "anthropic-beta"
CONTEXT = 2
"""Unchanged lines shown around a change."""
LONGEST_TEXT = 100
"""Characters of a string that are shown."""
BEFORE_CHANGE = 30
"""Characters shown before the place where two long strings begin to differ."""


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
    """As the client sends it and as it goes on."""
    learned: tuple[str, ...] = ()
    """Lines of configuration for what the provider has refused before."""


def explain_target(request: ClientRequest, target: Target, settings: Settings, knowledge: Knowledge) -> Explanation:
    """Prepares the request for a target as the proxy does, and compares."""
    from turnout.cli.status import merged_rules
    from turnout.credentials.chain import NO_KEY
    from turnout.exchange import Exchange
    from turnout.journey.candidates import model_of
    from turnout.providers import KINDS

    provider = settings.providers[target.provider]
    model = model_of(target, provider, request.model)
    shaping = knowledge.shaping(provider, model, knowledge.known(provider, "messages", model))
    exchange = Exchange(request=request, endpoint="messages", plan=(target,))
    outgoing = KINDS[provider.kind].prepare(exchange, provider, model, NO_KEY, shaping)
    sent = request.headers.get(BETA_HEADER)
    lessons = knowledge.lessons.known(provider.name, "messages", model) if provider.learns else ()
    return Explanation(
        target=str(target),
        url=_url(outgoing),
        rules=exchange.rules,
        betas=(sent, _header(outgoing, BETA_HEADER, sent)),
        body=(request.body, outgoing.body),
        learned=tuple(merged_rules(lesson.line(model) for lesson in lessons)),
    )


def _url(outgoing: Outgoing) -> str:
    host = f"[{outgoing.host}]" if ":" in outgoing.host else outgoing.host
    usual = {"http": 80, "https": 443}[outgoing.scheme]
    port = "" if outgoing.port == usual else f":{outgoing.port}"
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


@dataclass(frozen=True, slots=True)
class _Line:
    path: str
    text: str
    comma: bool = False


def diff(old: bytes, new: bytes) -> Iterator[str]:
    """The changes between two JSON texts, each region under the path of its first change, long strings shortened.

    Raises ValueError or RecursionError for what cannot be read as JSON.
    """
    before, after = (list(_pretty(json.loads(body))) for body in (old, new))
    # A comma that comes or goes with the next line is no change.
    matcher = difflib.SequenceMatcher(None, [line.text for line in before], [line.text for line in after])
    for group in matcher.get_grouped_opcodes(CONTEXT):
        yield f"@@ {_place(group, before, after)} @@"
        for tag, a, b, c, d in group:
            removed, added = before[a:b], after[c:d]
            if tag == "equal":
                same = zip(removed, added, strict=True)
                yield from (f"  {_shown(replace(one, comma=one.comma or other.comma))}" for one, other in same)
                continue
            pairs = list(zip(removed, added, strict=True)) if len(removed) == len(added) else []
            starts = [_first_difference(*pair) for pair in pairs] or [0] * max(len(removed), len(added))
            yield from (f"- {_shown(line, start)}" for line, start in zip(removed, starts, strict=False))
            yield from (f"+ {_shown(line, start)}" for line, start in zip(added, starts, strict=False))


def _place(group: Iterable[tuple[str, int, int, int, int]], before: Sequence[_Line], after: Sequence[_Line]) -> str:
    tag, a, _, c, _ = next(opcode for opcode in group if opcode[0] != "equal")
    return (after[c] if tag == "insert" else before[a]).path or "body"


def _pretty(value: Any, path: str = "", lead: str = "", indent: str = "", comma: bool = False) -> Iterator[_Line]:
    """JSON with a value in each line, two blanks to a level, keys in their order."""
    if isinstance(value, dict) and value:
        prefix = f"{path}." if path else ""
        children = [(inner, f"{prefix}{key}", f"{_json(key)}: ") for key, inner in value.items()]
        ends = "{}"
    elif isinstance(value, list) and value:
        children = [(inner, f"{path}[{index}]", "") for index, inner in enumerate(value)]
        ends = "[]"
    else:
        yield _Line(path, f"{indent}{lead}{_json(value)}", comma)
        return
    yield _Line(path, f"{indent}{lead}{ends[0]}")
    for number, (inner, place, key) in enumerate(children, start=1):
        yield from _pretty(inner, place, key, indent + "  ", number < len(children))
    yield _Line(path, f"{indent}{ends[1]}", comma)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _parts(line: _Line) -> tuple[str, str] | None:
    """What stands before a line's string value, and the string; None when its value is something else."""
    bare = line.text.lstrip(" ")
    at = len(line.text) - len(bare)
    try:
        value, end = json.JSONDecoder().raw_decode(bare)
        if bare[end : end + 2] == ": ":
            at += end + 2
            value = json.loads(bare[end + 2 :])
    except ValueError:  # the line opens or closes an object or a list
        return None
    return (line.text[:at], value) if isinstance(value, str) else None


def _first_difference(old: _Line, new: _Line) -> int:
    """Where two strings begin to differ; 0 when not both lines hold one."""
    parts = _parts(old), _parts(new)
    if parts[0] is None or parts[1] is None:
        return 0
    texts = parts[0][1], parts[1][1]
    pairs = enumerate(zip(*texts, strict=False))
    return next((index for index, (one, other) in pairs if one != other), min(map(len, texts)))


def _shown(line: _Line, change: int = 0) -> str:
    """A line for people: of a long string only its beginning, or what surrounds the change."""
    comma = "," if line.comma else ""
    parts = _parts(line) if len(line.text) > LONGEST_TEXT else None
    if parts is None or len(parts[1]) <= LONGEST_TEXT:
        return line.text + comma
    lead, text = parts
    start = change - BEFORE_CHANGE if change > LONGEST_TEXT // 2 else 0
    shown = _json(text[start : start + LONGEST_TEXT])[1:-1]
    before, after = "… " if start else "", " …" if start + LONGEST_TEXT < len(text) else ""
    return f'{lead}"{before}{shown}{after}" ({len(text)} chars){comma}'
