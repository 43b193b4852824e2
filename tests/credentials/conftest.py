from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from hypothesis import HealthCheck, settings
from keyring.backend import KeyringBackend

from turnout.credentials.chain import CredentialChain
from turnout.redaction.secret import Secret
from turnout.settings.load import presets
from turnout.settings.model import Provider

NOW = 1_790_000_000.0

OWN_TOKEN = "sk-ant-oat01-login-of-this-computer"
CLIENT_TOKEN = "sk-ant-oat01-login-of-the-client"
CLIENT_KEY = "sk-ant-api03-key-of-the-client"

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Hypothesis builds its tables of Unicode on first use, which takes a second."""


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class FakeKeyring(KeyringBackend):
    """A keyring in memory that counts its reads, and fails or waits when told to."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries: dict[tuple[str, str], str] = {}
        self.asked: list[tuple[str, str]] = []
        self.before: Callable[[], object] = lambda: None

    def hold(self) -> tuple[threading.Event, threading.Event]:
        """From now on a read sets the first event and answers when the second is set."""
        asked, go_on = threading.Event(), threading.Event()

        def wait() -> None:
            asked.set()
            go_on.wait(10)

        self.before = wait
        return asked, go_on

    def get_password(self, service: str, username: str) -> str | None:
        self.asked.append((service, username))
        self.before()
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("the reading side never writes")

    def delete_password(self, service: str, username: str) -> None:
        raise AssertionError("the reading side never deletes")


@pytest.fixture
def ring() -> Iterator[FakeKeyring]:
    before = keyring.get_keyring()
    fake = FakeKeyring()
    keyring.set_keyring(fake)
    yield fake
    keyring.set_keyring(before)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


MakeChain = Callable[..., CredentialChain]


@pytest.fixture
def make_chain(home: Path, clock: Clock) -> MakeChain:
    """A chain in an empty home, on Linux unless told otherwise; keyword arguments are environment variables."""

    def make(*client_keys: str, platform: str = "linux", **environment: str) -> CredentialChain:
        secrets = {name: Secret(value) for name, value in {"HOME": str(home), "USER": "ada", **environment}.items()}
        return CredentialChain(secrets, [Secret(key) for key in client_keys], clock=clock, platform=platform)

    return make


def preset(name: str, **changes: Any) -> Provider:
    return Provider.model_validate({**presets()[name], "name": name, **changes})


def login(token: str = OWN_TOKEN, *, expires_in: float | None = 3600.0) -> str:
    """Claude Code's JSON; `expires_in` is in seconds from NOW."""
    oauth: dict[str, Any] = {"accessToken": token, "refreshToken": "sk-ant-ort01-refresh", "subscriptionType": "max"}
    if expires_in is not None:
        oauth["expiresAt"] = int((NOW + expires_in) * 1000)
    return json.dumps({"mcpOAuth": {"some": {"accessToken": "mcp-token"}}, "claudeAiOauth": oauth})


def write_login(directory: Path, text: str | None = None) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / ".credentials.json"
    path.write_text(login() if text is None else text, encoding="utf-8")
    return path
