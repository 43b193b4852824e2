"""The script is broken, vanishes, comes back, or is replaced under load: the gate stays shut, no request is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from tests.proxy.support import BODY, HEADERS, QUICK, route
from tests.security.remote import Target, edit
from turnout.testing.events import stream_of
from turnout.testing.fixtures import ROUTE, StartMitmdump, StartProvider
from turnout.testing.proxy import MitmdumpProcess
from turnout.testing.replies import error, sse

SECONDS = 30.0


@pytest.fixture
def target() -> Iterator[Target]:
    made = Target()
    yield made
    made.close()
    assert made.connections == 0


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A checkout of its own: the script beside the package."""
    folder = tmp_path / "addon"
    shutil.copytree(ROUTE.parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "route.py"


class Running:
    """A mitmdump with the copied script, a provider, and an open address behind the reverse mode."""

    def __init__(self, process: MitmdumpProcess, script: Path) -> None:
        self.process, self.script = process, script
        self.url = process.url

    def ask(self, timeout: float = SECONDS, **fields: Any) -> httpx.Response:
        with httpx.Client(trust_env=False, timeout=timeout) as client:
            return client.post(f"{self.url}/v1/messages", json={**BODY, **fields}, headers=HEADERS)

    def replace_package(self) -> None:
        """An edit of the package, and wait until what was edited is loaded."""
        module = self.script.parent / "turnout" / "__init__.py"
        edit(module, module.read_text() + "\nprint('LOADED ANEW', flush=True)\n")
        touch(self.script)
        self.process.logged("LOADED ANEW")

    def until(self, status: int) -> httpx.Response:
        """Ask again and again; the first answer with this status."""

        async def wait() -> httpx.Response:
            while (answer := await asyncio.to_thread(self.ask)).status_code != status:
                await asyncio.sleep(0.1)
            return answer

        return asyncio.run(asyncio.wait_for(wait(), SECONDS))


def touch(file: Path) -> None:
    edit(file, file.read_text())


Start = Callable[..., Running]


@pytest.fixture
def start(mitmdump: StartMitmdump, copied: Path, target: Target) -> Start:
    def begin(config: str, environment: dict[str, str] | None = None) -> Running:
        mode = f"reverse:http://127.0.0.1:{target.port}@127.0.0.1:0"
        return Running(mitmdump(config, mode=mode, script=copied, environment=environment), copied)

    return begin


def table(name: str, provider: Any) -> str:
    return (
        f'[providers.{name}]\nbase_url = "{provider.url}"\nauth = "bearer"\ncredentials = ["env:KEY"]\n'
        'rewrite.profile = "none"\n'
    )


KEY = {"KEY": "key-of-the-provider"}


def breaks_script(script: Path) -> Callable[[], None]:
    whole = script.read_text()
    edit(script, "def (:\n")
    return lambda: edit(script, whole)


def breaks_package(script: Path) -> Callable[[], None]:
    """The mended file alone brings it back: the script itself is not touched again."""
    module = script.parent / "turnout" / "exchange.py"
    whole = module.read_text()
    edit(module, "broken(\n")
    touch(script)
    return lambda: edit(module, whole)


def raises_in_load(script: Path) -> Callable[[], None]:
    whole = script.read_text()
    edit(script, "raise RuntimeError('while it is loaded')\n" + whole)  # mitmproxy 11 takes what stands before a fault
    return lambda: edit(script, whole)


def removes_script(script: Path) -> Callable[[], None]:
    away = script.with_name("away")
    script.rename(away)

    def back() -> None:
        away.rename(script)

    return back


@pytest.mark.parametrize(
    "act", [breaks_script, breaks_package, raises_in_load, removes_script], ids=lambda act: act.__name__
)
def test_the_gate_is_shut_until_the_script_is_back(
    act: Callable[[Path], Callable[[], None]], start: Start, provider: StartProvider
) -> None:
    running = start(table("p", upstream := provider(accepts=KEY["KEY"])) + route("p"), KEY)
    assert running.ask().status_code == 200
    mend = act(running.script)
    shut = running.until(503)
    told = shut.json()["error"]
    assert told["type"] == "api_error" and "nothing was sent" in told["message"]
    assert shut.headers["x-should-retry"] == "true" and shut.headers["retry-after"] == "1"
    assert httpx.get(f"{running.url}/health", headers={"host": "evil.example"}, trust_env=False).status_code == 503
    served = len(upstream.messages)
    running.process.logged("Turnout is not loaded: every request gets a 503 until it is")
    mend()
    assert running.until(200).status_code == 200 and len(upstream.messages) == served + 1


def test_old_files_with_their_old_times_bring_it_back(start: Start, provider: StartProvider) -> None:
    """A broken version that loads, and a backup put in its place: mitmproxy loads again for newer files alone."""
    running = start(table("p", provider(accepts=KEY["KEY"])) + route("p"), KEY)
    module = running.script.parent / "turnout" / "addon.py"
    whole, times = module.read_text(), (module.stat().st_atime_ns, module.stat().st_mtime_ns)
    old = running.script.stat().st_atime_ns, running.script.stat().st_mtime_ns
    edit(module, whole.replace("            options = ctx.options\n", "            options = ctx.nothing\n"))
    touch(running.script)
    running.until(500)
    module.write_text(whole)
    os.utime(module, ns=times)
    os.utime(running.script, ns=old)
    assert running.until(200).status_code == 200


def test_a_script_that_was_taken_out_stays_out(start: Start, provider: StartProvider, tmp_path: Path) -> None:
    """Somebody may do it in mitmweb. The gate stays shut: reverse mode without Turnout is not what was started."""
    out = tmp_path / "out.py"
    out.write_text(
        "from mitmproxy import ctx\ndef client_disconnected(client):\n"
        "    ctx.options.update(scripts=[name for name in ctx.options.scripts if 'route.py' not in name])\n"
    )
    upstream = provider(accepts=KEY["KEY"])
    running = start(table("p", upstream) + route("p"), {**KEY})
    loads_another = f"import runpy, types\naddons.append(types.SimpleNamespace(**runpy.run_path({str(out)!r})))\n"
    edit(running.script, running.script.read_text() + loads_another)  # so that the option is changed from inside
    running.until(503)
    assert running.ask().status_code == 503
    assert not [line for line in running.process.lines if "Waiting for" in line]


def test_a_request_under_way_is_served_by_the_turnout_that_began_with_it(
    start: Start, provider: StartProvider
) -> None:
    """Its first target fails after the package was replaced: plan, key and story are those it began with."""
    gate = asyncio.Event()
    first = provider(error(529, "overloaded_error"), accepts=KEY["KEY"])
    first.play(SlowError(gate))
    second = provider(sse(), accepts=KEY["KEY"])
    config = table("first", first) + table("second", second) + route("first", "second") + QUICK
    running = start(config, KEY)
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(running.ask()))
    asking.start()
    first.wait(first.arrived())
    running.replace_package()
    health = httpx.get(f"{running.url}/health", trust_env=False).json()
    assert health["exchanges"]["open"] == 0, "the new one has begun anew"
    first.open(gate)
    asking.join(SECONDS)
    assert answers[0].status_code == 200 and len(second.messages) == 1
    running.process.logged(r"first 529 overloaded → second 200 · 2 tries")


class SlowError:
    """A 529 that waits at a gate."""

    def __init__(self, gate: asyncio.Event) -> None:
        self._gate, self._reply = gate, error(529, "overloaded_error")

    def __call__(self, request: Any) -> Any:
        return SimpleNamespace(play=self._play)

    async def _play(self, request: Any, answer: Any, headers: Any) -> None:
        await self._gate.wait()
        await self._reply.play(request, answer, headers)


def test_a_stream_under_way_goes_on_over_a_reload(start: Start, provider: StartProvider) -> None:
    gate = asyncio.Event()
    events = list(stream_of())
    upstream = provider(sse([*events[:2], gate, *events[2:]]), accepts=KEY["KEY"])
    running = start(table("p", upstream) + route("p"), KEY)
    with (
        httpx.Client(trust_env=False, timeout=SECONDS) as client,
        client.stream("POST", f"{running.url}/v1/messages", json=BODY, headers=HEADERS) as answer,
    ):
        pieces = answer.iter_bytes()
        got = next(pieces)
        running.replace_package()
        upstream.open(gate)
        got += b"".join(pieces)
    assert b"message_stop" in got
    running.process.logged(r"→ p 200")
