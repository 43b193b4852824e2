"""Makes the committed recordings anew, from runs of the real Claude Code against scripted providers.

    TURNOUT_CLAUDE=…/node_modules/.bin/claude PYTHONPATH=addon python -m tests.replay.make_recordings

Nothing leaves the machine. recordings/README.md says what is in each file.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests import ROOT
from tests.e2e.claude_code import HAIKU, run_claude, tool_turn_script
from turnout.recordings.scrub import scrub
from turnout.testing import replies
from turnout.testing.events import stream_of
from turnout.testing.fixtures import ROUTE
from turnout.testing.provider import ScriptedProviderThread
from turnout.testing.proxy import DEAD_TARGET, MitmdumpProcess
from turnout.testing.replies import Reply

RECORDINGS = ROOT / "recordings"

CLIENT_KEY = "sk-ant-api03-fake-key-of-the-client"
KEYS = {"FIRST_KEY": "sk-ant-api03-fake-key-of-the-first", "SECOND_KEY": "sk-ant-api03-fake-key-of-the-second"}
SMALL = ("--tools", "Bash", "--system-prompt", "Be brief.")
"""Options that make requests of a few kilobytes: for recordings whose subject is not the request."""

TURNOUT = "127.0.0.1:8082"

QUOTA = replies.error(
    429,
    "rate_limit_error",
    "This request would exceed your account's rate limit.",
    {"retry-after": "3600", "anthropic-ratelimit-unified-status": "rejected"},
)
FAILURES: Mapping[str, Reply] = {
    "claude-sonnet-4-6": replies.error_event(),
    HAIKU: replies.close_before_headers(),
    "claude-opus-4-8": QUOTA,
}
"""How the first provider fails, by the model that is asked for: other failures than a quota cool down one model."""


def config(providers: Mapping[str, str]) -> str:
    """mitm.conf for recordings of providers called first and second, at these URLs."""
    tables = [
        f'[providers.{name}]\nbase_url = "{url}"\ncredentials = ["env:{name.upper()}_KEY"]\nrewrite.profile = "none"\n'
        for name, url in providers.items()
    ]
    names = ", ".join(f'"{name}"' for name in providers)
    return "".join(tables) + f'[retry]\nmax_elapsed = "0s"\n[[routes]]\nmodel = "*"\nto = [{names}]\n'


def free_port() -> int:
    """mitmdump refuses two modes that both leave the choice of the port to the system."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class Workshop:
    """A temporary folder with mitmdump processes, and homes for Claude Code."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0

    def folder(self, name: str) -> Path:
        self._count += 1
        folder = self._directory / f"{name}{self._count}"
        folder.mkdir()
        return folder

    @contextmanager
    def mitmdump(self, *arguments: str) -> Iterator[MitmdumpProcess]:
        folder = self.folder("mitmdump")
        environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **KEYS}
        settings = ("--set", f"confdir={self._directory / 'confdir'}", "--set", "connection_strategy=lazy")
        process = MitmdumpProcess([*settings, *arguments], environment, folder)
        try:
            yield process
        finally:
            assert process.stop() == 0, process.output

    @contextmanager
    def turnout(self, text: str, *arguments: str) -> Iterator[MitmdumpProcess]:
        file = self.folder("config") / "mitm.conf"
        file.write_text(text)
        chosen = ("-s", str(ROUTE), "--mode", DEAD_TARGET, "--set", f"turnout_config={file}")
        with self.mitmdump(*chosen, *arguments) as process:
            yield process

    def claude(self, url: str, *options: str) -> None:
        run = run_claude(url, self.folder("home"), {"ANTHROPIC_API_KEY": CLIENT_KEY}, *options)
        assert run.exit_code == 0, run


def record_client(workshop: Workshop, raw: Path) -> dict[str, str]:
    """A tool turn with the model Claude Code prefers and one with Haiku, seen between Claude Code and Turnout."""
    with ScriptedProviderThread(accepts=CLIENT_KEY) as provider:
        text = f'[providers.anthropic]\nbase_url = "{provider.url}"\n'
        with workshop.turnout(text) as turnout:
            mode = f"reverse:{turnout.url}@127.0.0.1:0"
            with workshop.mitmdump("--mode", mode, "-w", str(raw)) as front:
                for options in ((), ("--model", HAIKU)):
                    provider.play(tool_turn_script())
                    workshop.claude(front.url, *options)
            return {f"127.0.0.1:{turnout.port}": TURNOUT}


def record_attempts(workshop: Workshop, raw: Path) -> dict[str, str]:
    """Three requests whose first attempt fails, seen between Turnout and its providers."""
    first = ScriptedProviderThread(lambda request: FAILURES[request.model], accepts=KEYS["FIRST_KEY"])
    second = ScriptedProviderThread(replies.sse(stream_of("Hello.")), accepts=KEYS["SECOND_KEY"])
    with first, second:
        named = {"first": first, "second": second}
        ports = {name: free_port() for name in named}
        modes = [part for name, it in named.items() for part in ("--mode", f"reverse:{it.url}@127.0.0.1:{ports[name]}")]
        text = config({name: f"http://127.0.0.1:{port}" for name, port in ports.items()})
        with workshop.mitmdump(*modes, "-w", str(raw)) as front:
            for port in ports.values():
                front.logged(f"listening at .*:{port}")
            with workshop.turnout(text) as turnout:
                for model in FAILURES:
                    workshop.claude(turnout.url, "--model", model, *SMALL)
        return {f"127.0.0.1:{it.port}": f"{name}.invalid:80" for name, it in named.items()}


def record_plain(workshop: Workshop, raw: Path) -> dict[str, str]:
    """One request passed through, as Turnout itself saves it with -w."""
    with ScriptedProviderThread(replies.sse(stream_of("Hello.")), accepts=CLIENT_KEY) as provider:
        text = f'[providers.anthropic]\nbase_url = "{provider.url}"\n'
        with workshop.turnout(text, "-w", str(raw)) as turnout:
            workshop.claude(turnout.url, "--model", HAIKU, *SMALL)
            return {f"127.0.0.1:{provider.port}": "anthropic.invalid:80", f"127.0.0.1:{turnout.port}": TURNOUT}


MAKERS = {
    "claude-code-client.mitm": record_client,
    "failover-attempts.mitm": record_attempts,
    "plain.mitm": record_plain,
}


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        workshop = Workshop(Path(directory))
        for name, make in MAKERS.items():
            raw = Path(directory) / name
            hosts = make(workshop, raw)
            (RECORDINGS / name).write_bytes(scrub(raw.read_bytes(), hosts))
            print(f"{RECORDINGS / name}: {(RECORDINGS / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
