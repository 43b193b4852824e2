"""What `turnout replay` says at the end: a table for people, one JSON document, a JUnit report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from turnout.recordings.replay.answers import Replayed
from turnout.recordings.replay.comparing import Difference, Substance
from turnout.redaction.secret import Secret
from turnout.redaction.text import masked_path, redact

if TYPE_CHECKING:
    from turnout.cli.replay import Replay

SAME, DIFFERENT, UNKNOWN = "ok", "≠", "–"

COMPARED = {"events": ("events",), "text": ("text", "thinking"), "tools": ("tools",), "usage": ("usage",)}
"""Columns of the table, and the names of the differences that each shows."""

OTHER_COLUMNS = 54
"""How wide the table is without the names of models, at the most."""


def show(run: Replay) -> None:
    """Print the table, what failed in words, and the sum."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    console.print(_table(run, console.width))
    for result in run.finished:
        for fault in result.faults:
            line = f"{result.exchange.number} · {fault.name}: {_clean(fault.explanation, run.secrets)}"
            console.print(Text(line, style="red"), soft_wrap=True)
    if run.skipped:
        console.print(Text(f"skipped: {reasons(run)}"), soft_wrap=True)
    console.print(Text(summary(run), style="bold"), soft_wrap=True)


def summary(run: Replay) -> str:
    """`12 passed, 1 failed, 3 skipped in 4.2 s`."""
    passed, failed, skipped, missing = _counts(run)
    line = f"{passed} passed, {failed} failed, {skipped} skipped in {run.seconds:.1f} s"
    return f"{line}; interrupted, {missing} not finished" if run.interrupted else line


def reasons(run: Replay) -> str:
    """`3 (no request body)`, with a number for each where there are several."""
    total = sum(run.skipped.values())
    if len(run.skipped) == 1:
        return f"{total} ({next(iter(run.skipped))})"
    return f"{total} ({', '.join(f'{reason}: {count}' for reason, count in run.skipped.items())})"


def document(run: Replay) -> str:
    """The whole run as JSON."""
    passed, failed, skipped, missing = _counts(run)
    choices = run.choices
    whole = {
        "file": str(choices.file),
        "to": choices.to,
        "provider": choices.provider,
        "compare": choices.compare,
        "passed": passed,
        "failed": failed,
        "skipped": skipped,
        "skipped_because": run.skipped,
        "interrupted": run.interrupted,
        "not_finished": missing,
        "seconds": round(run.seconds, 3),
        "exchanges": [_exchange(result, run.secrets) for result in run.finished],
    }
    return json.dumps(whole, indent=2)


def as_junit(run: Replay) -> bytes:
    """The run as a JUnit report: a test case for every exchange sent, and one for every reason to leave some out."""
    passed, failed, _, _ = _counts(run)
    suite = ElementTree.Element(
        "testsuite",
        name="turnout replay",
        tests=str(passed + failed + len(run.skipped)),
        failures=str(failed),
        errors="0",
        skipped=str(len(run.skipped)),
        time=f"{run.seconds:.3f}",
    )
    classname = _clean(run.choices.file.name, run.secrets)
    for result in run.finished:
        case = ElementTree.SubElement(
            suite, "testcase", classname=classname, name=_title(result, run.secrets), time=f"{result.total:.3f}"
        )
        if result.faults:
            lines = [f"{fault.name}: {_clean(fault.explanation, run.secrets)}" for fault in result.faults]
            failure = ElementTree.SubElement(case, "failure", message=lines[0], type=result.faults[0].name)
            failure.text = "\n".join(lines)
    for reason, count in run.skipped.items():
        case = ElementTree.SubElement(suite, "testcase", classname=classname, name=f"{count} × {reason}", time="0")
        ElementTree.SubElement(case, "skipped", message=reason)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


# --- parts ---


def _counts(run: Replay) -> tuple[int, int, int, int]:
    """Passed, failed, skipped, not finished."""
    passed = sum(result.passed for result in run.finished)
    done = len(run.finished)
    return passed, done - passed, sum(run.skipped.values()), len(run.exchanges) - done


def _table(run: Replay, width: int) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("model", overflow="ellipsis", no_wrap=True, max_width=max(20, width - OTHER_COLUMNS))
    table.add_column("status", no_wrap=True)
    for name in COMPARED:
        table.add_column(name, no_wrap=True)
    table.add_column("first", justify="right", no_wrap=True)
    table.add_column("total", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for result in run.finished:
        verdict = Text("ok", style="green") if result.passed else Text("FAIL", style="red")
        table.add_row(*(Text(cell) for cell in _cells(result, run.secrets)), verdict)
    return table


def _cells(result: Replayed, secrets: Sequence[Secret]) -> Iterator[str]:
    yield str(result.exchange.number)
    yield _clean(result.exchange.model, secrets) or UNKNOWN
    before, after = (str(found.status) if found else UNKNOWN for found in (result.recorded, result.now))
    yield before if before == after else f"{before}→{after}"
    named = {difference.name for difference in result.differences}
    comparable = result.recorded is not None and result.now is not None and "status" not in named
    for names in COMPARED.values():
        yield (DIFFERENT if named.intersection(names) else SAME) if comparable else UNKNOWN
    yield UNKNOWN if result.first_event is None else f"{result.first_event:.2f}"
    yield f"{result.total:.2f}"


def _exchange(result: Replayed, secrets: Sequence[Secret]) -> dict[str, Any]:
    exchange = result.exchange
    return {
        "number": exchange.number,
        "model": _clean(exchange.model, secrets),
        "method": exchange.request.method,
        "path": _clean(masked_path(exchange.request.path), secrets),
        "passed": result.passed,
        "faults": [fault.name for fault in result.faults],
        "differences": [_difference(each, secrets) for each in (result.differences or result.faults)],
        "recorded": _substance(result.recorded, secrets),
        "now": _substance(result.now, secrets),
        "first_event": None if result.first_event is None else round(result.first_event, 4),
        "total": round(result.total, 4),
    }


def _difference(difference: Difference, secrets: Sequence[Secret]) -> dict[str, str]:
    return {"name": difference.name, "explanation": _clean(difference.explanation, secrets)}


def _substance(found: Substance | None, secrets: Sequence[Secret]) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "status": found.status,
        "complete": found.complete,
        "events": [_clean(event, secrets) for event in found.events],
        "text_length": len(found.text),
        "thinking_length": len(found.thinking),
        "tools": [_clean(call.name, secrets) for call in found.tools],
        "stop_reason": None if found.stop_reason is None else _clean(found.stop_reason, secrets),
        "usage": {_clean(name, secrets): count for name, count in found.usage.items()},
        "error": _clean(found.error, secrets) or None,
    }


def _title(result: Replayed, secrets: Sequence[Secret]) -> str:
    exchange = result.exchange
    path = masked_path(exchange.request.path)
    return _clean(f"{exchange.number} {exchange.request.method} {path} {exchange.model}".rstrip(), secrets)


def _clean(text: str, secrets: Sequence[Secret]) -> str:
    """Foreign text: no secret, nothing that a terminal or XML would not take."""
    text = redact(text, secrets)
    return "".join(letter if letter.isprintable() else "?" for letter in text)
