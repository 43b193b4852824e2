"""Starting mitmdump with the addon: safe defaults, and mistakes that end the process with a reason (A17)."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path

import pytest

from turnout.testing.fixtures import StartMitmdump

pytestmark = pytest.mark.e2e


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_plain_command_is_safe(mitmdump: StartMitmdump) -> None:
    """`mitmdump -s addon/route.py --mode reverse:https://api.anthropic.com`: loopback only, lazy, and serving."""
    process = mitmdump(None, "--listen-port", "0", mode="reverse:https://api.anthropic.com")
    process.logged(r"turnout sets connection_strategy=lazy, listen_host=127\.0\.0\.1")
    port = int(process.logged(r"listening at 127\.0\.0\.1:(\d+)")[1])
    status, body = get(port, "/health")
    assert status == 200 and json.loads(body)["config"] is None
    # Another address of this machine: all of 127/8 is loopback, but not what may be listened on.
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), timeout=2):
        pass
    assert process.stop() == 0


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("[listen]\nprot = 1\n", r"mitm\.conf: listen\.prot: unknown key\. Did you mean port\?"),
        ('[[routes]]\nmodel = "*"\nto = ["anthropc"]\n', r"routes\.0\.to: 'anthropc' names no known provider"),
        ("[listen\n", r"mitm\.conf: not valid TOML"),
        ('[access]\nkeys = ["env:NOT_SET"]\n', r"access\.keys: the variable NOT_SET is not set"),
    ],
)
def test_a_mistake_in_the_configuration_ends_the_process(mitmdump: StartMitmdump, config: str, told: str) -> None:
    process = mitmdump(config)
    assert process.exit_code() != 0
    process.logged(told)
    assert "Traceback" not in process.output


def test_a_missing_file_ends_the_process(mitmdump: StartMitmdump, tmp_path: Path) -> None:
    process = mitmdump(None, "--set", f"turnout_config={tmp_path / 'nowhere.conf'}")
    assert process.exit_code() != 0
    process.logged("nowhere.conf: there is no such file")


def test_an_unknown_pin_ends_the_process(mitmdump: StartMitmdump) -> None:
    process = mitmdump("", "--set", "turnout_provider=nobody")
    assert process.exit_code() != 0
    process.logged("'nobody' is not a configured provider")


def test_every_interface_without_keys_is_refused(mitmdump: StartMitmdump) -> None:
    process = mitmdump("", mode="reverse:http://127.0.0.1:9@0.0.0.0:0")
    assert process.exit_code() != 0
    process.logged(r"access\.keys: listening on 0\.0\.0\.0 without client keys")


def test_every_interface_with_keys_is_the_users_choice(mitmdump: StartMitmdump) -> None:
    process = mitmdump('[access]\nkeys = ["open-sesame"]\n', mode="reverse:http://127.0.0.1:9@0.0.0.0:0")
    assert get(process.port, "/health")[0] == 401
    assert process.stop() == 0
