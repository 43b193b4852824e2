"""Configurations in which Anthropic and a vendor that knows less stand side by side."""

from __future__ import annotations

import json

from tests.e2e.turns import Thinker
from turnout.testing.provider import ScriptedProviderThread

CLIENT_KEY = "sk-ant-api03-fake-key-of-the-client"
CREDENTIAL = {"ANTHROPIC_API_KEY": CLIENT_KEY}
VENDOR_KEY = "fake-key-of-the-vendor"
ENVIRONMENT = {"VENDOR_KEY": VENDOR_KEY}


def vendor(name: str, thinker: Thinker | None = None, *, minted: bool = True) -> ScriptedProviderThread:
    """A strict vendor that is never to see anything of Anthropic's credentials."""
    mint = thinker.mint if thinker and minted else None
    return ScriptedProviderThread(strict=name, accepts=VENDOR_KEY, forbid=["sk-ant"], mint=mint)


def table(provider: ScriptedProviderThread, name: str, extra: str = "") -> str:
    """A provider's table: of a preset it says no more than where it is and what opens it."""
    return f'[providers.{name}]\nbase_url = "{provider.url}"\ncredentials = ["env:VENDOR_KEY"]\n{extra}\n'


def chat_table(provider: ScriptedProviderThread, name: str, extra: str = "") -> str:
    """The same of a server of Chat Completions. `own` is no preset, and says what it is."""
    kind = 'kind = "openai"\nauth = "bearer"\n' if name == "own" else ""
    return table(provider, name, kind + extra)


def anthropic_table(provider: ScriptedProviderThread) -> str:
    """Anthropic, which is asked again as soon as the one that stood in for it fails."""
    return f'[providers.anthropic]\nbase_url = "{provider.url}"\ncooldown = "1ms"\n'


def route(*targets: str) -> str:
    return f'[[routes]]\nmodel = "*"\nto = {json.dumps(targets)}\n[retry]\nmax_elapsed = "0s"\n'
