"""Trying mutants: each gets a process of its own, forked from one that has everything ready, and no file is changed.

What a function does is changed in the function itself, after all tests have been collected: a mutant then costs no more
than the tests that run until the first of them fails. What happens while a module is imported needs it imported anew.
"""

from __future__ import annotations

import ast
import gc
import importlib
import importlib.abc
import importlib.machinery
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import grimp
import hypothesis
import pytest

from tests.mutation.mutants import Mutant

ROOT = Path(__file__).resolve().parents[2]
ADDON = ROOT / "addon"

PATIENCE = 2.5
"""A mutant whose tests take this many times as long as without it, and SPARE seconds more, hangs."""
SPARE = 5.0
EXAMPLES = 20
"""Of each property test."""

Told = Callable[[Mutant], None]


@dataclass(frozen=True)
class Subject:
    """A module and the files of tests that belong to it, those most likely to fail first."""

    file: Path
    module: str
    tests: tuple[str, ...]


class _Patience:
    """How long tests may take; first of all they have to pass without a mutant."""

    def __init__(self, subject: Subject, run: Callable[[], int]) -> None:
        began = time.monotonic()
        if not passes(run, 900.0):
            sys.exit(f"{' '.join(subject.tests)}: they fail without a mutant; see to that first")
        self.seconds = PATIENCE * (time.monotonic() - began) + SPARE


def in_a_fork(work: Callable[[], None]) -> None:
    """Do something in a process of its own; SystemExit if it fails."""
    process = os.fork()
    if process == 0:
        try:
            work()
        except SystemExit as error:
            print(error, file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(process, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(1)


def passes(run: Callable[[], int], patience: float) -> bool:
    """Whether `run`, in a process of its own and without a terminal, returns 0 in time."""
    ended, end = os.pipe()
    process = os.fork()
    if process == 0:
        os.setpgid(0, 0)
        os.close(ended)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os._exit(run())
    os.close(end)
    hangs = not select.select([ended], [], [], patience)[0]
    if hangs:
        os.killpg(process, signal.SIGKILL)
    os.close(ended)
    _, status = os.waitpid(process, 0)
    return not hangs and os.waitstatus_to_exitcode(status) == 0


def _pytest(subject: Subject, *plugins: object) -> int:
    hypothesis.settings.register_profile(
        "mutation", max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    asked = ["-x", "-qq", "--no-header", "--no-summary", "--assert=plain", "--capture=no"]
    asked += ["-p", "no:cacheprovider", "--hypothesis-profile=mutation"]
    return int(pytest.main([*asked, *subject.tests], plugins=list(plugins)))


# --- what functions do ---


def try_in_functions(subject: Subject, tree: ast.Module, mutants: Sequence[Mutant], told: Told) -> None:
    """Calls `told` for each mutant that the tests do not notice."""
    loop = _Loop(subject, tree, mutants, told)
    in_a_fork(lambda: sys.exit(loop.error) if _pytest(subject, loop) or loop.error else None)


class _Loop:
    """A pytest plugin: all collected tests run once for each mutant, in a process of their own."""

    def __init__(self, subject: Subject, tree: ast.Module, mutants: Sequence[Mutant], told: Told) -> None:
        self._subject, self._tree, self._mutants, self._told = subject, tree, mutants, told
        self.error = ""

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        functions = dict(_functions(self._subject.file))
        try:
            patience = _Patience(self._subject, lambda: _run_all(session)).seconds
        except SystemExit as error:
            self.error = str(error)
            return True
        original = compile(self._tree, str(self._subject.file), "exec")
        for mutant in self._mutants:
            with mutant.applied():
                mutated = compile(self._tree, str(self._subject.file), "exec")
            changed = list(_changed(original, mutated))
            assert changed, mutant

            def run(changed: list[CodeType] = changed) -> int:
                for code in changed:
                    for function in functions[code.co_qualname, code.co_firstlineno]:
                        function.__code__ = code
                return _run_all(session)

            if passes(run, patience):
                self._told(mutant)
        return True


def _run_all(session: pytest.Session) -> int:
    following = [*session.items[1:], None]
    for item, after in zip(session.items, following, strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        if session.testsfailed:
            return 1
    return 0


def _functions(file: Path) -> Iterator[tuple[tuple[str, int], list[FunctionType]]]:
    """Every function of a module that there is, by name and line."""
    found: dict[tuple[str, int], list[FunctionType]] = {}
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and thing.__code__.co_filename == str(file):
            found.setdefault((thing.__code__.co_qualname, thing.__code__.co_firstlineno), []).append(thing)
    yield from found.items()


def _changed(original: CodeType, mutated: CodeType) -> Iterator[CodeType]:
    """The functions of a module, and of classes in it, that are not what they were."""
    for before, after in zip(_inner(original), _inner(mutated), strict=True):
        if before.co_flags & 0x2:  # CO_NEWLOCALS: a function; what is inside of it goes with it
            if before != after:
                yield after
        else:
            yield from _changed(before, after)


def _inner(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


# --- what happens at import ---


def try_at_import(subject: Subject, tree: ast.Module, mutants: Sequence[Mutant], told: Told) -> None:
    """Calls `told` for each mutant that the tests do not notice."""
    if mutants:
        in_a_fork(lambda: _try_each(subject, tree, mutants, told))


def _try_each(subject: Subject, tree: ast.Module, mutants: Sequence[Mutant], told: Told) -> None:
    _import_all_but(subject.module)
    patience = _Patience(subject, lambda: _pytest(subject)).seconds
    for mutant in mutants:
        with mutant.applied():
            code = compile(tree, str(subject.file), "exec")

        def run(code: CodeType = code) -> int:
            sys.meta_path.insert(0, _Substitute(subject, code))
            return _pytest(subject)

        if passes(run, patience):
            told(mutant)


def _import_all_but(module: str) -> None:
    """Import what the tests need, but not the module nor what needs it."""
    importlib.import_module("turnout.testing.fixtures")
    importlib.import_module(module)
    above = grimp.build_graph("turnout", cache_dir=None).find_downstream_modules(module)
    for gone in (above | {module}) & sys.modules.keys():
        package, _, name = gone.rpartition(".")
        if package in sys.modules:
            vars(sys.modules[package]).pop(name, None)
        del sys.modules[gone]


class _Substitute(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives out one module with other code than its file has."""

    def __init__(self, subject: Subject, code: CodeType) -> None:
        self._subject, self._code = subject, code

    def find_spec(self, fullname: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._subject.module:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin=str(self._subject.file))

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(self._subject.file)
        exec(self._code, module.__dict__)
