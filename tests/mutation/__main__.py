"""Which faults no test would notice: puts small ones into modules, one at a time, and runs the tests that belong there.

    python -m tests.mutation                          # journey, health and the streams: half an hour on one core
    python -m tests.mutation journey                  # one room
    python -m tests.mutation addon/turnout/health/slots.py

Run it from the root of a checkout, on Linux or macOS. Mutants that survive are listed; some of them make no difference,
and some a difference that is nobody's. It takes too long for the gate.
"""

from __future__ import annotations

import ast
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.trial import ADDON, ROOT, Subject, in_a_fork, try_at_import, try_in_functions

ROOMS = {
    "journey": ("addon/turnout/journey", ("tests/journey",)),
    "health": ("addon/turnout/health", ("tests/health",)),
    **{
        name: (f"addon/turnout/proxy/{name}.py", ("tests/layer",))
        for name in ("failover", "gated", "steered", "patience")
    },
}
"""By name: the modules, and the tests that are to notice faults in them."""
ALSO = {"transport": "tests/health/test_verdict.py", "limits": "tests/health/test_verdict.py"}
"""Tests that are tried first, for modules without a test file of their name."""


def subjects(wanted: Sequence[str]) -> Iterator[Subject]:
    """Those of the rooms or files named; SystemExit for a name that is neither."""
    for name in wanted or ROOMS:
        place = ROOMS[name][0] if name in ROOMS else name
        tests = next((tests for folder, tests in ROOMS.values() if place.startswith(folder)), None)
        if tests is None or not (ROOT / place).exists():
            sys.exit(f"{name}: write one of {', '.join(ROOMS)}, or a module in one of them")
        for file in sorted((ROOT / place).glob("*.py")) if (ROOT / place).is_dir() else [ROOT / place]:
            if file.name != "__init__.py":
                module = ".".join(file.relative_to(ADDON).with_suffix("").parts)
                yield Subject(file, module, _nearest_first(file, tests))


def _nearest_first(file: Path, rooms: tuple[str, ...]) -> tuple[str, ...]:
    all_of_them = [str(path.relative_to(ROOT)) for room in rooms for path in sorted((ROOT / room).glob("test_*.py"))]
    first = [name for name in all_of_them if name.endswith(f"/test_{file.stem}.py") or name == ALSO.get(file.stem)]
    return tuple(dict.fromkeys([*first, *all_of_them]))


def tell(subject: Subject) -> None:
    """Try all mutants of a module, and print those that survive."""
    began, survivors = time.monotonic(), multiprocessing.Value("i", 0)
    place = subject.file.relative_to(ROOT)
    tree = ast.parse(subject.file.read_text(encoding="utf-8"))
    mutants = mutants_of(tree)

    def told(mutant: Mutant) -> None:
        survivors.value += 1
        before, after = (code.splitlines()[0][:100] for code in (mutant.before, mutant.after))
        print(f"{place}:{mutant.line}: {before}  →  {after}", flush=True)

    try_in_functions(subject, tree, [mutant for mutant in mutants if mutant.in_function], told)
    try_at_import(subject, tree, [mutant for mutant in mutants if not mutant.in_function], told)
    seconds = time.monotonic() - began
    print(f"{place}: {len(mutants)} mutants, {survivors.value} survive ({seconds:.0f} s)", flush=True)


def main() -> None:
    os.chdir(ROOT)
    for subject in list(subjects(sys.argv[1:])):
        in_a_fork(lambda subject=subject: tell(subject))  # type: ignore[misc]


if __name__ == "__main__":
    main()
