"""mitm.conf.example: every key that it shows can be used as it stands there."""

from __future__ import annotations

import tomllib
from pathlib import Path

from turnout.cli.init import example
from turnout.settings.load import load
from turnout.settings.rewriting import Rewrite


def test_the_example_is_valid_with_everything_uncommented(tmp_path: Path) -> None:
    lines = example().read_text(encoding="utf-8").splitlines()
    shown = [line.removeprefix("#") if line[:1] == "#" and line[1:2] not in ("", " ") else line for line in lines]
    file = tmp_path / "mitm.conf"
    file.write_text("\n".join(shown), encoding="utf-8")
    assert {"mine", "local"} <= load(str(file), {}).providers.keys()
    tables = tomllib.loads(file.read_text(encoding="utf-8"))["providers"]
    rules = tables["mine"]["rewrite"].keys() | tables["local"]["rewrite"].keys()
    assert rules == Rewrite.model_fields.keys(), "the example shows every rule"
