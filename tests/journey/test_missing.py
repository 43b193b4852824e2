"""A8: who has no credential is told what to do, with the names of files and variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from turnout.journey.missing import looked_for, remedy
from turnout.settings.model import Provider, Settings
from turnout.settings.places import Folder

CONFIG = Path("/there/mitm.conf")
SETTINGS = Settings(file=CONFIG)


def provider(**fields: Any) -> Provider:
    return Provider.model_validate({"name": "mine", "base_url": "https://api.mine.example", **fields})


@pytest.mark.parametrize(
    ("credentials", "told"),
    [
        (["env:A"], "Set A in the environment or in /there/.env."),
        (["env:A", "client", "env:B", "keychain"], "Log in with Claude Code, or set A or B in the env"),
        (["client"], "Have the client send a key of api.mine.example."),
        (["keyring:a/b", "file:/k"], "Put a key into keyring:a/b or file:/k."),
        ([], 'Name one in /there/mitm.conf: providers.mine.credentials = "env:NAME".'),
    ],
)
def test_it_is_told_where_a_credential_is_to_be_put(credentials: list[str], told: str) -> None:
    assert remedy(SETTINGS, provider(credentials=credentials)).startswith(told)


def test_what_is_withheld_needs_trust() -> None:
    folder = Folder((CONFIG,), (CONFIG,), (), ())
    mine = provider(credentials=["env:A"], withheld=("env:B",))
    assert looked_for(mine) == "env:A; withheld: env:B"
    told = remedy(Settings(file=CONFIG, folder=folder), mine)
    assert told.startswith("/there/mitm.conf comes with the folder and is not trusted; if you know it, run: ")
    assert told.endswith("turnout trust /there/mitm.conf.")
