"""What rewriting a request costs, beside decoding and encoding it once with the standard library.

The bodies have the shape of Claude Code's: a long conversation of thinking, tool calls and their results. The time is
that from the bytes of a request to the bytes for a target, so the decoding of the top level is in it. Nothing else
runs; each number is the best of many, in processor time, so that other work on the machine does not count.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.dialects.messages import shapes
from turnout.dialects.messages.rewrite import Rewritten, Subject, rewrite
from turnout.exchange import ClientRequest
from turnout.settings.load import load
from turnout.settings.rewriting import Rewrite, rules_for

SHALLOW = "shallow"
SHALLOW_TARGET = 0.15
"""Of decoding and encoding the whole body."""
COLUMNS = " rewriting         CPU    loads+dumps  ratio"
_TURN_SECONDS = 0.01
"""Processor time of a road in each round: a short one runs often in it, and at least once."""
_MINIMAX = '[[routes]]\nmodel = "*"\nto = ["minimax"]\n'
_RESULT = 'def filler(number: int) -> str:\n    """Says \\"é\\" — for nothing."""\n    return f"{number}\\t"\n\n'


@dataclass(frozen=True)
class Row:
    """One road over one body. Seconds."""

    road: str
    seconds: float
    reference: float
    """For `json.loads` and `json.dumps` of the same body."""

    @property
    def ratio(self) -> float:
        return self.seconds / self.reference

    def __str__(self) -> str:
        return f"{self.road:>10} {self.seconds * 1e3:8.2f} ms {self.reference * 1e3:11.2f} ms {self.ratio:6.3f}"


@dataclass(frozen=True)
class Road:
    name: str
    rules: Rewrite
    subject: Subject

    def __call__(self, body: bytes) -> Rewritten:
        request = ClientRequest("POST", "/v1/messages", {}, body)
        return rewrite(body, request.fields, self.rules, self.subject)


def roads(folder: Path) -> tuple[Road, ...]:
    """From nothing to do up to everything that a foreign provider needs."""
    model = "MiniMax-M3"
    file = folder / "minimax.conf"
    file.write_text(_MINIMAX, encoding="utf-8")
    minimax = load(str(file), {}).providers["minimax"]
    same = Subject(model=shapes.OPUS, client_model=shapes.OPUS, betas=shapes.BETAS)
    other = Subject(model=model, client_model=shapes.OPUS, betas=shapes.BETAS)
    foreign = Subject(
        model=model,
        client_model=shapes.OPUS,
        betas=shapes.BETAS,
        minted_by=lambda fingerprint: "anthropic",
        signs_as=minimax.signs_as,
    )
    return (
        Road("nothing", Rewrite(), same),
        Road(SHALLOW, Rewrite(drop=("metadata",)), other),
        Road("deep", Rewrite(drop=("messages[*].content[*].cache_control.scope",)), other),
        Road("minimax", rules_for(minimax.rewrite, model), foreign),
    )


def request_body(size: int) -> bytes:
    """A request of Claude Code's in the middle of a session, of about `size` bytes and not less."""
    body: dict[str, Any] = json.loads(shapes.shape("thinking, opus").sent_to(shapes.OPUS))
    messages = body["messages"]
    del messages[-1]["content"][-1]["cache_control"]
    room = size - len(_packed(body))
    while room > 0:
        turn = _turn(len(messages))
        messages += turn
        room -= len(_packed(turn))
    messages[-1]["content"][-1]["cache_control"] = {**shapes.EPHEMERAL, "scope": "global"}
    return _packed(body)


def _turn(number: int) -> list[dict[str, Any]]:
    """A step of the session: thinking, two tools called, their results. About 5 KB."""
    first, second = f"toolu_{number}_a", f"toolu_{number}_b"
    calls = (
        shapes.call(first, command=f"grep -rn {number} ."),
        shapes.call(second, "Read", file_path=f"/src/{number}.py"),
    )
    thinking = shapes.thinking(shapes.filler(40, "thought"), signature=f"{number:0600}")
    results = (shapes.result(first, [shapes.text(shapes.filler(50))]), shapes.result(second, _RESULT * 25))
    return [shapes.assistant(thinking, shapes.text(shapes.filler(12)), *calls), shapes.user(*results)]


def _packed(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _reference(body: bytes) -> bytes:
    return json.dumps(json.loads(body)).encode()


def measure(size: int, folder: Path, rounds: int) -> list[Row]:
    """Every road over a body of this size. The reference is timed between the roads, in every round."""
    body = request_body(size)
    found = roads(folder)
    runs: list[Callable[[bytes], object]] = [_reference, *found]
    times = [[_best_of_turn(run, body) for run in runs] for _ in range(rounds)]
    best = [min(column) for column in zip(*times, strict=True)]
    results = [road(body) for road in found]
    assert results[0].body is body, "with nothing to do the very same bytes are sent"
    assert all(result.body != body for result in results[1:]), "all other roads change something"
    return [Row(road.name, seconds, best[0]) for road, seconds in zip(found, best[1:], strict=True)]


def _best_of_turn(run: Callable[[bytes], object], body: bytes) -> float:
    best, begun = float("inf"), time.process_time()
    while time.process_time() - begun < _TURN_SECONDS:
        before = time.process_time()
        run(body)
        best = min(best, time.process_time() - before)
    return best
