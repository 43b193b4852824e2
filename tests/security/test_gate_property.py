"""Whatever is done to a running Turnout: nothing reaches the target of reverse mode, and no key another host (A17)."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.security.remote import PATIENCE, SCRIPT, Remote, Target, edit
from tests.security.remote_script import HOOKS
from turnout.testing.fixtures import ROUTE, StartMitmdump, StartProvider
from turnout.testing.proxy import MitmdumpProcess, free_port
from turnout.testing.replies import error, sse

CLIENT_KEY = "a-key-that-lets-clients-in"
LOGIN = "sk-ant-api03-the-clients-own-key"
KEYS = {"a": "key-of-provider-a-0001", "b": "key-of-provider-b-0001"}

QUIET: dict[str, Any] = {
    "ignore_hosts": [],
    "allow_hosts": [],
    "tcp_hosts": [],
    "rawtcp": True,
    "connection_strategy": "lazy",
    "stream_large_bodies": None,
    "body_size_limit": None,
    "keep_host_header": True,
    "validate_inbound_headers": True,
    "map_remote": [],
    "modify_headers": [],
    "upstream_cert": True,
}
DISTURBING: list[dict[str, Any]] = [
    {"ignore_hosts": [".*"]},
    {"allow_hosts": ["api.example.com"]},
    {"tcp_hosts": [".*"], "rawtcp": True},
    {"connection_strategy": "eager"},
    {"stream_large_bodies": "1"},
    {"body_size_limit": "1"},
    {"keep_host_header": False},
    {"validate_inbound_headers": False},
    {"upstream_cert": False},
    {"map_remote": ["|//127.0.0.1:[0-9]+/|http://127.0.0.1:{target}/"]},
    {"modify_headers": ["/x-api-key/a-key-that-somebody-sets"]},
]


class Stage:
    """A mitmdump that everything is done to, and what stands around it."""

    def __init__(self, folder: Path, target: Target, first: Any, second: Any) -> None:
        self.target, self.providers = target, {"a": first, "b": second}
        self.script = folder / "addon" / "route.py"
        self.module = self.script.parent / "turnout" / "exchange.py"
        self.whole = {file: file.read_text() for file in (self.script, self.module)}
        tables = [
            f'[providers.{name}]\nbase_url = "{each.url}"\ncredentials = ["env:KEY_{name}"]\nrewrite.profile = "none"\n'
            for name, each in self.providers.items()
        ]
        keys = f'[access]\nkeys = ["{CLIENT_KEY}"]\n'
        quick = "[retry]\nmax_elapsed = 0\n"
        routes = ['[[routes]]\nmodel = "*"\nto = ["a", "b"]\n', '[[routes]]\nmodel = "*"\nto = "b"\n']
        self.config = [keys + quick + "".join(tables) + each for each in routes]

    def start(self, mitmdump: StartMitmdump) -> None:
        port = free_port()
        environment = {"REMOTE_PORT": str(port), **{f"KEY_{name}": key for name, key in KEYS.items()}}
        mode = f"reverse:http://127.0.0.1:{self.target.port}@127.0.0.1:0"
        # The script that disturbs is loaded first: what it raises keeps Turnout's hooks from being called.
        self.process: MitmdumpProcess = mitmdump(
            self.config[0], "-s", str(self.script), mode=mode, script=SCRIPT, environment=environment
        )
        self.port = self.process.port
        self.remote = Remote(port)
        self.file = Path(next(iter(sorted(self.script.parent.parent.glob("mitmdump0")))), "mitm.conf")

    # --- what is done to it ---

    def configure(self, text: str | None) -> None:
        if text is None:
            self.file.unlink(missing_ok=True)
        else:
            edit(self.file, text)
        self.remote.look()

    def load(self, file: Path, text: str | None) -> None:
        if text is None:
            file.unlink(missing_ok=True)
        else:
            edit(file, text)
        self.remote.reload()

    def mend(self) -> None:
        """Undo everything: it must serve again."""
        self.remote.fail_in([])
        assert self.remote.set(**QUIET) == ""
        for file, text in self.whole.items():
            edit(file, text)
        self.configure(self.config[0])
        self.remote.reload()

    # --- and what clients do meanwhile ---

    @property
    def serves(self) -> bool:
        return self._send(VOLLEY[0]).startswith(b"HTTP/1.1 200")

    def serves_again_within(self, seconds: float) -> bool:
        """Ask again and again: files that were mended are noticed once more by mitmproxy's watcher and by Turnout's,
        which look once a second each, and a Turnout that is not loaded answers at once."""
        end = time.monotonic() + seconds
        while not (self.remote.loaded and self.serves):
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    def volley(self) -> list[bytes]:
        """Requests of every sort, one after the other; what came back."""
        return [self._send(data) for data in VOLLEY] + [self._hello()]

    def _send(self, data: bytes) -> bytes:
        got = b""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as client:
            client.settimeout(5)
            client.sendall(data)
            while piece := client.recv(65536):
                got += piece
        return got

    def _hello(self) -> bytes:
        """A client that speaks TLS."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        got = b""
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), 5) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            client.sendall(VOLLEY[0])
            while piece := client.recv(65536):
                got += piece
        return got

    def check(self) -> None:
        reached, self.target.connections = self.target.connections, 0
        assert reached == 0, "something was sent past Turnout"
        for name, provider in self.providers.items():
            given = {request.lower.get("x-api-key") for request in provider.requests}
            assert given <= {KEYS[name], "a-key-that-somebody-sets"}, f"{name} was sent {given}"
            for request in provider.requests:
                sent = " ".join(value for _, value in request.headers)
                assert not any(secret in sent for secret in (CLIENT_KEY, LOGIN, "***"))
            provider.requests.clear()


def request(path: str = "/v1/messages", *headers: str, method: str = "POST", host: str = "localhost") -> bytes:
    body = b'{"model":"claude-opus-4-6","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]}'
    length = f"content-length: {len(body)}"
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", "connection: close", length, *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


ENTITLED = (f"x-turnout-key: {CLIENT_KEY}", f"x-api-key: {LOGIN}", "content-type: application/json")
VOLLEY = [
    request("/v1/messages", *ENTITLED),
    request("/v1/messages", f"x-api-key: {LOGIN}"),
    request("/v1/messages", *ENTITLED, host="evil.example"),
    request("/anything", *ENTITLED),
    request("/v1/messages", *ENTITLED, "upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13"),
    request("http://elsewhere.example/v1/messages", *ENTITLED),
    request("elsewhere.example:443", *ENTITLED, method="CONNECT"),
    b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    b"\x00\x01\x02\x03 not http at all\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]

Step = tuple[str, Any]

STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("config"), st.sampled_from([0, 1, "gone", "empty", "mistake"]) | st.floats(0, 1)),
    st.tuples(st.just("script"), st.sampled_from(["whole", "broken", "gone", "raises"])),
    st.tuples(st.just("module"), st.sampled_from(["whole", "broken", "edited"])),
    st.tuples(st.just("options"), st.sampled_from(DISTURBING)),
    st.tuples(st.just("faults"), st.lists(st.sampled_from(HOOKS), max_size=3, unique=True)),
)


def take(stage: Stage, step: Step) -> None:
    what, how = step
    if what == "config":
        texts = {"gone": None, "empty": "", "mistake": "[access\n"}
        cut = stage.config[0][: int(how * len(stage.config[0]))] if isinstance(how, float) else None
        stage.configure(cut if cut is not None else texts[how] if isinstance(how, str) else stage.config[how])
    elif what == "script":
        whole = stage.whole[stage.script]
        texts = {"whole": whole, "broken": "def (:\n", "gone": None, "raises": whole + "\nraise RuntimeError\n"}
        stage.load(stage.script, texts[how])
    elif what == "module":
        whole = stage.whole[stage.module]
        stage.load(stage.module, {"whole": whole, "broken": "broken(\n", "edited": whole + "\n# edited\n"}[how])
    elif what == "options":
        target = str(stage.target.port)
        stage.remote.set(
            **{
                name: [each.replace("{target}", target) for each in value] if isinstance(value, list) else value
                for name, value in how.items()
            }
        )
    else:
        stage.remote.fail_in(how)


@pytest.fixture
def stage(tmp_path: Path, mitmdump: StartMitmdump, provider: StartProvider) -> Iterator[Stage]:
    shutil.copytree(ROUTE.parent, tmp_path / "addon", ignore=shutil.ignore_patterns("__pycache__"))
    target = Target()
    asked = itertools.count()
    fails, serves = error(529, "overloaded_error"), sse()
    turns: Callable[[Any], Any] = lambda request: fails if next(asked) % 3 == 0 else serves  # noqa: E731
    first = provider(turns, accepts=KEYS["a"], strict="nothing")
    made = Stage(tmp_path, target, first, provider(accepts=KEYS["b"], strict="nothing"))
    made.start(mitmdump)
    yield made
    made.remote.close()
    target.close()


@pytest.mark.e2e
def test_nothing_is_sent_past_turnout(stage: Stage) -> None:
    assert stage.serves

    @given(st.lists(STEPS, min_size=1, max_size=6))
    @settings(
        max_examples=int(os.environ.get("GATE_EXAMPLES", "8")),
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    def whatever_is_done(steps: list[Step]) -> None:
        try:
            for step in steps:
                take(stage, step)
                for answer in stage.volley():
                    assert not answer or answer.startswith(b"HTTP/1.1 ") or answer[:1] in (b"\x15", b"\x16")
                stage.check()
        finally:
            stage.mend()

    whatever_is_done()
    stage.check()
    assert stage.serves_again_within(PATIENCE), "and it serves again"
