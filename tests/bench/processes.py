"""The processes under measurement: how they are started, and what they have cost. Linux only."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from turnout.testing.proxy import free_port

ROOT = Path(__file__).resolve().parent.parent.parent

STARTS_WITHIN = 30.0
_STOPS_WITHIN = 15.0


class Child:
    """A process with a port, and what it costs."""

    def __init__(self, name: str, command: list[str], port: int = 0, **variables: str) -> None:
        self.name = name
        self.port = port
        self.idle = 0.0
        """Processor seconds that it takes for each second without requests."""
        output = None if port else subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, cwd=ROOT, env={**os.environ, **variables}
        )

    def processor_seconds(self) -> float:
        """User and system time of all threads so far: the utime + stime of /proc/PID/stat in nanoseconds, not ticks."""
        # The number is what clock_getcpuclockid(3) gives for a process; Python has no binding for it.
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def resident(self) -> float:
        """Resident memory in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(float(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))

    def wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name} did not start") from None
                time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(_STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def start_upstream() -> tuple[Child, int, int]:
    """The provider and its two ports."""
    child = Child("upstream", [sys.executable, "-m", "tests.bench.upstream"])
    assert child.process.stdout is not None
    first, second = map(int, child.process.stdout.readline().split())
    child.port = first
    return child, first, second


def start_mitmdump(
    name: str, confdir: Path, script: Path, target: str, *options: str, tool: str = "mitmdump"
) -> Child:
    """A quiet mitmdump (or another tool) that listens on a free port and would send requests to `target`."""
    port = free_port()
    command = [str(Path(sys.executable).parent / tool), "-q", "-s", str(script)]
    command += ["--mode", f"reverse:{target}@127.0.0.1:{port}"]
    for option in (f"confdir={confdir}", *options):
        command += ["--set", option]
    return Child(name, command, port, HOME=str(confdir), XDG_STATE_HOME=str(confdir), XDG_CONFIG_HOME=str(confdir))
