"""`turnout run` up to the moment mitmproxy takes over."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.cli.conftest import Turnout
from turnout.cli.run import (
    check_free,
    listen_address,
    mitmproxy_arguments,
    override_listen,
    pinned_provider,
)
from turnout.errors import ConfigError, TurnoutError
from turnout.settings.load import load
from turnout.settings.model import Listen, Settings
from turnout.settings.pin import write_pin
from turnout.settings.places import pin_file


def options(arguments: list[str]) -> list[str]:
    return [value for flag, value in zip(arguments, arguments[1:], strict=False) if flag == "--set"]


def test_the_command_line_beats_the_configuration(home: Path) -> None:
    """The addon reads its settings itself and has to see the same address."""
    (home / "mitm.conf").write_text('[listen]\nhost = "127.0.0.2"\nport = 1\n')
    assert load().listen == Listen(host="127.0.0.2", port=1)
    override_listen(None, 0)
    assert load().listen == Listen(host="127.0.0.2", port=0)
    override_listen("::1", None)
    assert load().listen == Listen(host="::1", port=0)


def test_ipv6_addresses_are_taken_with_and_without_brackets() -> None:
    for host in ("::1", "[::1]"):
        assert listen_address(Settings(listen=Listen(host=host))).host == "::1"


def test_nothing_can_leave_unrouted() -> None:
    """A1: mitmproxy's own target is dead, and is not dialled before a request has been routed."""
    arguments = mitmproxy_arguments(load(process={}), Listen(), web=False, extra=[])
    assert arguments[arguments.index("--mode") + 1] == "reverse:http://127.0.0.1:9@127.0.0.1:8082"
    assert "connection_strategy=lazy" in options(arguments)
    assert not any(option.startswith(("turnout_config", "web_")) for option in options(arguments))


def test_mitmproxy_takes_ipv6_addresses_without_brackets() -> None:
    arguments = mitmproxy_arguments(load(process={}), Listen(host="::1"), web=False, extra=[])
    assert arguments[arguments.index("--mode") + 1] == "reverse:http://127.0.0.1:9@::1:8082"


def test_the_addon_is_told_which_file_is_in_force(home: Path) -> None:
    (home / "mitm.conf").write_text("")
    arguments = mitmproxy_arguments(load("mitm.conf", process={}), Listen(), web=False, extra=[])
    assert f"turnout_config={home / 'mitm.conf'}" in options(arguments)


def test_web_shows_the_columns_that_matter_and_opens_no_browser() -> None:
    chosen = options(mitmproxy_arguments(load(process={}), Listen(), web=True, extra=[]))
    assert "web_open_browser=false" in chosen
    columns = [option.partition("=")[2] for option in chosen if option.startswith("web_columns")]
    assert columns == ["status", "comment", "size", "time"]


def test_arguments_of_the_user_come_last() -> None:
    arguments = mitmproxy_arguments(load(process={}), Listen(), web=False, extra=["-w", "out.mitm"])
    assert arguments[-2:] == ["-w", "out.mitm"]


@pytest.mark.parametrize("flags", [("--set", "flow_detail=2"), ("--set=flow_detail=2",)])
def test_an_option_of_the_user_takes_the_place_of_ours(flags: tuple[str, ...]) -> None:
    """mitmproxy refuses an option that is set twice."""
    arguments = mitmproxy_arguments(load(process={}), Listen(), web=True, extra=flags)
    assert [each for each in arguments if "flow_detail" in each] == [flags[-1]]
    columns = mitmproxy_arguments(load(process={}), Listen(), web=True, extra=("--set", "web_columns=path"))
    assert [each for each in columns if "web_columns" in each] == ["web_columns=path"]


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_port_in_use(family: socket.AddressFamily, host: str) -> None:
    with socket.create_server((host, 0), family=family) as occupied:
        port = occupied.getsockname()[1]
        with pytest.raises(TurnoutError, match=f"port {port} on {host} is in use.*--port"):
            check_free(Listen(host=host, port=port))


def test_a_port_that_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
    check_free(Listen(port=port))
    check_free(Listen(port=port))


def test_an_address_of_another_machine() -> None:
    with pytest.raises(ConfigError, match="listen: cannot listen on 192.0.2.1 port 0"):
        check_free(Listen(host="192.0.2.1", port=0))


def test_a_port_in_use_is_told_before_anything_else(turnout: Turnout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        outcome = turnout("run", "--port", str(port))
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"turnout: port {port} on 127.0.0.1 is in use.")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5"])
def test_other_machines_need_a_key(turnout: Turnout, host: str) -> None:
    """A17: an address that others reach is refused without client keys."""
    outcome = turnout("run", "--host", host)
    assert (outcome.code, outcome.out) == (2, "")
    assert "access.keys" in outcome.err


def test_a_client_key_that_is_missing(turnout: Turnout, home: Path) -> None:
    (home / "mitm.conf").write_text('[access]\nkeys = ["env:TEAM_KEY"]\n')
    outcome = turnout("run")
    assert outcome.code == 2
    assert "TEAM_KEY is not set" in outcome.err


@pytest.mark.parametrize("port", ["-1", "65536", "x"])
def test_not_a_port(turnout: Turnout, port: str) -> None:
    outcome = turnout("run", "--port", port)
    assert outcome.code == 2
    assert "--port" in outcome.err


def test_the_pinned_provider() -> None:
    settings = load(process={})
    assert pinned_provider(settings) is None
    write_pin(pin_file(os.environ), "anthropic")
    assert pinned_provider(settings) == "anthropic"


def test_a_pin_that_the_configuration_does_not_know(turnout: Turnout) -> None:
    """Starting without the pin would send requests where the user did not want them."""
    write_pin(pin_file(os.environ), "minimax")
    outcome = turnout("run", "--port", "0")
    assert (outcome.code, outcome.out) == (2, "")
    assert "the pinned provider 'minimax' is not in the configuration. Lift the pin with `turnout reset`" in outcome.err
