"""mitm.conf.example: every key that it shows can be used as it stands there."""

from __future__ import annotations

from pathlib import Path

from turnout.cli.init import example
from turnout.settings.load import load
from turnout.settings.rewriting import Rewrite


def test_the_example_is_valid_with_everything_uncommented(tmp_path: Path) -> None:
    lines = example().read_text(encoding="utf-8").splitlines()
    shown = [line.removeprefix("#") if line[:1] == "#" and line[1:2] not in ("", " ") else line for line in lines]
    file = tmp_path / "mitm.conf"
    file.write_text("\n".join(shown), encoding="utf-8")
    rules = load(str(file), {}).providers["mine"].rewrite
    assert rules.model_fields_set == Rewrite.model_fields.keys(), "the example shows every rule"
