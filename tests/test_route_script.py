"""addon/route.py: found by mitmproxy's -s, importable from anywhere, never with stale modules."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from mitmproxy import hooks
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.test import taddons

from turnout.testing.fixtures import ROUTE

pytestmark = pytest.mark.filterwarnings("ignore:Two conflicting event classes for upstream_failed:RuntimeWarning")
"""mitmproxy notes every hook class by its name, for good; a package that is imported anew defines ours once more."""


@pytest.fixture(autouse=True)
def imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Imports, the import path and mitmproxy's hooks as they were before the test; a working folder without config."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hooks, "all_hooks", dict(hooks.all_hooks))
    modules, path = dict(sys.modules), list(sys.path)
    turnout = sys.modules.get("turnout")
    before = dict(vars(turnout)) if turnout else {}
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "turnout"]:
        del sys.modules[name]
    sys.modules.update({name: module for name, module in modules.items() if name.partition(".")[0] == "turnout"})
    sys.path[:] = path
    if turnout:
        vars(turnout).pop("loaded_as", None)
        vars(turnout).update(before)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A checkout of its own: the script beside the package."""
    folder = tmp_path / "addon"
    shutil.copytree(ROUTE.parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "route.py"


def run(script: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"__file__": str(script), "__name__": "__mitmproxy_script__.route"}
    exec(compile(script.read_text(), str(script), "exec"), found)
    return found


def forget_turnout() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "turnout"]:
        del sys.modules[name]


def loaded() -> ModuleType:
    return sys.modules["turnout.addon"]


def touch(file: Path) -> None:
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1_000_000_000))


async def test_mitmproxy_loads_it(caplog: pytest.LogCaptureFixture) -> None:
    with taddons.context(Proxyserver()) as context:
        (addon,) = context.script(str(ROUTE)).addons
        try:
            assert (
                type(addon).__name__ == "Turnout" and {"turnout_config", "turnout_provider"} <= context.options.keys()
            )
            assert context.master.addons.get("turnout") is addon and addon.bridge.settings is not None
        finally:
            addon.done()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_it_finds_its_package_in_a_checkout(copied: Path) -> None:
    forget_turnout()
    sys.path[:] = [entry for entry in sys.path if not (Path(entry) / "turnout").exists()]
    found = run(copied)
    assert sys.path[0] == str(copied.parent) and len(found["addons"]) == 1
    assert loaded().__file__ == str(copied.parent / "turnout" / "addon.py")


def test_it_finds_its_package_in_a_wheel(copied: Path) -> None:
    entry = copied.parent / "turnout" / "entry"
    entry.mkdir()
    script = copied.rename(entry / "route.py")
    forget_turnout()
    sys.path[:] = [str(entry), *(item for item in sys.path if not (Path(item) / "turnout").exists())]
    run(script)
    assert loaded().__file__ == str(copied.parent / "turnout" / "addon.py")
    assert sys.path[:2] == [str(copied.parent), str(entry)]
    assert Path(str(sys.modules["inspect"].__file__)).parent.name != "turnout"


def test_the_path_is_extended_once() -> None:
    run(ROUTE)
    before = list(sys.path)
    run(ROUTE)
    assert sys.path == before and str(ROUTE.parent) in sys.path


def test_modules_are_forgotten_only_when_they_were_edited(copied: Path) -> None:
    forget_turnout()
    sys.path[:] = [entry for entry in sys.path if not (Path(entry) / "turnout").exists()]
    first = type(run(copied)["addons"][0])
    again = type(run(copied)["addons"][0])
    assert again is first, "an unchanged package keeps its state"
    touch(copied)
    assert type(run(copied)["addons"][0]) is first, "the script itself holds nothing"
    errors = sys.modules["turnout.errors"]
    touch(copied.parent / "turnout" / "gate" / "paths.py")
    fresh = type(run(copied)["addons"][0])
    assert fresh is not first and sys.modules["turnout.errors"] is not errors
    assert type(run(copied)["addons"][0]) is fresh


def test_a_new_module_and_a_removed_one_are_edits(copied: Path) -> None:
    forget_turnout()
    sys.path[:] = [entry for entry in sys.path if not (Path(entry) / "turnout").exists()]
    classes = [type(run(copied)["addons"][0])]
    extra = copied.parent / "turnout" / "extra.py"
    extra.write_text("")
    classes.append(type(run(copied)["addons"][0]))
    extra.unlink()
    classes.append(type(run(copied)["addons"][0]))
    assert len(set(classes)) == 3


def test_a_package_that_was_imported_before_is_used_as_it_is() -> None:
    """`turnout run` has imported it by the time mitmproxy loads the script."""
    import turnout.addon

    vars(sys.modules["turnout"]).pop("loaded_as", None)
    assert type(run(ROUTE)["addons"][0]) is turnout.addon.Turnout
