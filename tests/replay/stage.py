"""What a session is recorded with: scripted providers, Turnout as a process, the real Claude Code."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.claude_code import Run, run_claude
from turnout.testing.fixtures import ROUTE
from turnout.testing.provider import ScriptedProviderThread
from turnout.testing.proxy import DEAD_TARGET, MitmdumpProcess

CLIENT_KEY = "sk-ant-api03-fake-key-of-the-client"
SMALL = ("--tools", "Bash", "--system-prompt", "Be brief.")
"""Options that make requests of a few kilobytes: for recordings whose subject is not the request."""

TURNOUT = "127.0.0.1:8082"
"""What the address of Turnout is called in a recording; a provider called NAME is at NAME.invalid:80."""

_PROVIDER = re.compile(r'http://([a-z]+)\.invalid([^"]*)')


def key_of(provider: str) -> str:
    """The credential that a session's provider takes, as the variable `NAME_KEY`."""
    return f"sk-ant-api03-fake-key-of-{provider}"


def prefixes(config: str) -> dict[str, str]:
    """The providers of a mitm.conf whose base URLs are http://NAME.invalid/PATH, with that path."""
    return dict(_PROVIDER.findall(config))


def keys(config: str) -> dict[str, str]:
    """The variables that hold the credentials of these providers."""
    return {f"{name.upper()}_KEY": key_of(name) for name in prefixes(config)}


def located(config: str, ports: Mapping[str, int]) -> str:
    """The same mitm.conf with the ports of this machine in place of the names."""
    return _PROVIDER.sub(lambda found: f"http://127.0.0.1:{ports[found[1]]}{found[2]}", config)


class Stage:
    """One session: everything lives in a folder of its own and ends with `close`."""

    def __init__(self, config: str, folder: Path, raw: Path, *, in_front: bool = False) -> None:
        """`raw` is the flow file to be. `in_front`: a plain mitmdump between Claude Code and Turnout writes it."""
        self.providers: dict[str, ScriptedProviderThread] = {}
        self.hosts: dict[str, str] = {}
        """Addresses in the recording, and what they are to be called."""
        self._config, self._folder, self._raw, self._in_front = config, folder, raw, in_front
        self._count = 0
        self._url = ""

    def provider(self, name: str, **options: Any) -> ScriptedProviderThread:
        """A provider that is started with `open`."""
        forbidden = [CLIENT_KEY, *(key for key in keys(self._config).values() if key != key_of(name))]
        self.providers[name] = ScriptedProviderThread(
            accepts=key_of(name), forbid=["proxy-managed", *forbidden], prefix=prefixes(self._config)[name], **options
        )
        return self.providers[name]

    @contextmanager
    def open(self) -> Iterator[None]:
        """Run everything, and record. At the end nothing may have gone where it must not."""
        with ExitStack() as stack:
            for provider in self.providers.values():
                stack.enter_context(provider)
            ports = {name: provider.port for name, provider in self.providers.items()}
            file = self._new_folder("config") / "mitm.conf"
            file.write_text(located(self._config, ports))
            record = () if self._in_front else ("--set", f"turnout_record={self._raw}")
            arguments = ("-s", str(ROUTE), "--mode", DEAD_TARGET, "--set", f"turnout_config={file}", *record)
            turnout = stack.enter_context(self._mitmdump(*arguments))
            self._url = turnout.url
            self.hosts = {f"127.0.0.1:{port}": f"{name}.invalid:80" for name, port in ports.items()}
            self.hosts[f"127.0.0.1:{turnout.port}"] = TURNOUT
            if self._in_front:
                mode = f"reverse:{turnout.url}@127.0.0.1:0"
                self._url = stack.enter_context(self._mitmdump("--mode", mode, "-w", str(self._raw))).url
            yield
        for name, provider in self.providers.items():
            assert not provider.violations, (name, provider.violations)
            assert not provider.refusals, (name, provider.refusals)

    def home(self) -> Path:
        """A new home for Claude Code; sessions that go on with `--continue` share one."""
        return self._new_folder("home")

    def claude(self, *options: str, home: Path | None = None, nonessential: bool = False) -> Run:
        """One prompt, without retries of Claude Code's own."""
        environment = {"ANTHROPIC_API_KEY": CLIENT_KEY, "CLAUDE_CODE_MAX_RETRIES": "0"}
        return run_claude(self._url, home or self.home(), environment, *options, nonessential=nonessential)

    def _new_folder(self, name: str) -> Path:
        self._count += 1
        folder = self._folder / f"{name}{self._count}"
        folder.mkdir()
        return folder

    @contextmanager
    def _mitmdump(self, *arguments: str) -> Iterator[MitmdumpProcess]:
        folder = self._new_folder("mitmdump")
        environment = {
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "PYTHONUNBUFFERED": "1",
            **keys(self._config),
        }
        confdir = self._folder.parent / "confdir"
        settings = ("--set", f"confdir={confdir}", "--set", "connection_strategy=lazy")
        process = MitmdumpProcess([*settings, *arguments], environment, folder)
        try:
            yield process
        finally:
            assert process.stop() == 0, process.output
