"""class Turnout at its hooks: options, start-up, mistakes at run time, and failing closed (A17)."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy import exceptions, hooks, http
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.proxy.layers import http as layer
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import taddons, tflow

from turnout.addon import OPTIONS, Turnout, is_ours
from turnout.proxy.failover import FailoverStream
from turnout.proxy.installing import uninstall
from turnout.proxy.steering import steering

MODE = "reverse:http://127.0.0.1:9"
BODY = b'{"model":"claude-opus-4-6","max_tokens":5,"messages":[]}'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without configuration."""
    directory = tmp_path / "here"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


class Started:
    """The addon in a context that has mitmproxy's options of the proxy."""

    def __init__(self) -> None:
        self.addon = Turnout()
        self.context = taddons.context(Proxyserver(), loadcore=False)

    def load(self, **options: Any) -> Started:
        """As mitmproxy does with a script: load, then configure with every option there is."""
        # Options of the addon do not exist before it is loaded.
        self.options.update_defer(**{"mode": [MODE], **options})
        self.context.master.addons.add(self.addon)
        self.context.master.addons.invoke_addon_sync(self.addon, hooks.ConfigureHook(set(self.options.keys())))
        return self

    @property
    def options(self) -> Any:
        return self.context.options


@pytest.fixture
async def started(here: Path) -> AsyncIterator[Started]:
    made = Started()
    with made.context:
        yield made
        if made.addon in made.context.master.addons.chain:
            made.context.master.addons.remove(made.addon)
    uninstall()


def flow(path: bytes = b"/v1/messages", mode: str = MODE, **headers: str) -> http.HTTPFlow:
    made = tflow.tflow(req=http.Request.make("POST", "http://127.0.0.1:9/", BODY, {}))
    made.request.data.path = path
    made.request.headers["host"] = "127.0.0.1:8082"
    for name, value in headers.items():
        made.request.headers[name.replace("_", "-")] = value
    made.client_conn.proxy_mode = ProxyMode.parse(mode)
    return made


def told(made: http.HTTPFlow) -> dict[str, Any]:
    assert made.response is not None
    error: dict[str, Any] = json.loads(made.response.content or b"")["error"]
    return error


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


# --- options and start-up ---


async def test_every_option_is_a_string(started: Started) -> None:
    """mitmproxy silently drops an addon with a typed option that does not parse."""
    started.load()
    for name, (default, _) in OPTIONS.items():
        assert started.options.default(name) == default and started.options._options[name].typespec is str


async def test_safe_defaults_are_set_and_told(started: Started, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "turnout"):
        started.load()
    assert started.options.connection_strategy == "lazy" and started.options.listen_host == "127.0.0.1"
    assert started.options.keep_host_header is True
    (line,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("turnout sets")]
    assert line == "turnout sets connection_strategy=lazy, listen_host=127.0.0.1, keep_host_header=True"


async def test_what_the_user_chose_stays(started: Started, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "turnout"):
        started.load(connection_strategy="lazy", listen_host="::1", keep_host_header=True)
    assert started.options.listen_host == "::1" and "turnout sets" not in caplog.text and not errors(caplog)


async def test_the_log_is_searched_for_secrets_also_when_the_script_is_gone(
    started: Started, caplog: pytest.LogCaptureFixture
) -> None:
    """mitmproxy goes on to quote requests that it cannot read."""
    (Path.cwd() / "mitm.conf").write_text('[access]\nkeys = ["open-sesame"]\n')
    started.load()
    started.context.master.addons.remove(started.addon)
    logging.getLogger("mitmproxy.proxy.server").warning("bad line %r of open-sesame", b"x-api-key: abc")
    assert caplog.records[-1].getMessage() == "bad line <14 bytes> of ***"


async def test_the_streams_stay_when_the_addon_goes(started: Started) -> None:
    """Without hooks they refuse every request; mitmproxy's own would send it to the target (A17)."""
    started.load()
    assert layer.HttpStream is FailoverStream and FailoverStream.addon is started.addon
    started.context.master.addons.remove(started.addon)
    assert layer.HttpStream is FailoverStream and FailoverStream.addon is None


@pytest.mark.parametrize(
    ("config", "options", "said"),
    [
        ("[listen]\nprot = 1", {}, "listen.prot: unknown key. Did you mean port?"),
        ("[[routes]]\nmodel = '*'\nto = 'nowhere'", {}, "names no known provider"),
        ("[access]\nkeys = ['env:MISSING']", {}, "the variable MISSING is not set"),
        (None, {}, "there is no such file"),
        ("", {"turnout_provider": "nowhere"}, "'nowhere' is not a configured provider. Known: anthropic"),
        ("", {"listen_host": "0.0.0.0"}, "access.keys: listening on 0.0.0.0 without client keys"),
        ("", {"mode": ["reverse:http://127.0.0.1:9@0.0.0.0:0"]}, "access.keys: listening on 0.0.0.0"),
    ],
)
async def test_a_mistake_at_start_is_logged_as_an_error_and_nothing_is_served(
    started: Started,
    here: Path,
    caplog: pytest.LogCaptureFixture,
    config: str | None,
    options: dict[str, Any],
    said: str,
) -> None:
    """mitmproxy exits with 1 for it; what still comes in meanwhile gets a JSON error."""
    if config is not None:
        (here / "m.conf").write_text(config)
    started.load(turnout_config=str(here / "m.conf"), **options)
    assert any(said in line and line.startswith("turnout: ") for line in errors(caplog)), caplog.text
    incoming = flow()
    await started.addon.requestheaders(incoming)
    assert incoming.response is not None and incoming.response.status_code == 500
    assert told(incoming)["message"] == "Turnout has no valid configuration; see its log."


async def test_a_non_loopback_address_with_keys_is_served(
    started: Started, here: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A17."""
    monkeypatch.setenv("TEAM_KEY", "a-key")
    (here / "mitm.conf").write_text("[access]\nkeys = ['env:TEAM_KEY']\nhosts = ['*']\n")
    started.load(listen_host="0.0.0.0")
    assert not errors(caplog) and started.addon.bridge.settings is not None


@pytest.mark.parametrize(
    ("mode", "server", "warned"), [("regular", True, 1), ("regular", False, 0), (MODE, True, 0)]
)
async def test_another_mode_than_reverse_is_warned_about(
    started: Started, caplog: pytest.LogCaptureFixture, mode: str, server: bool, warned: int
) -> None:
    started.load(mode=[mode], server=server)
    assert caplog.text.count("Turnout serves reverse mode only: start it with --mode reverse:") == warned


# --- mistakes at run time ---


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"turnout_config": "none.conf"}, "none.conf: there is no such file"),
        ({"turnout_provider": "nowhere"}, "'nowhere' is not a configured provider"),
        ({"listen_host": "0.0.0.0"}, "access.keys"),
        ({"listen_host": ""}, "every interface"),
        ({"mode": ["reverse:http://127.0.0.1:9@0.0.0.0:1"]}, "access.keys"),
    ],
)
async def test_at_run_time_the_option_is_refused_and_the_old_settings_stay(
    started: Started, options: dict[str, Any], said: str
) -> None:
    started.load()
    started.addon.running()
    before = started.addon.bridge.settings
    values = {name: getattr(started.options, name) for name in options}
    with pytest.raises(exceptions.OptionsError, match=said):
        started.options.update(**options)
    assert {name: getattr(started.options, name) for name in options} == values
    assert started.addon.bridge.settings == before


async def test_another_configuration_can_be_chosen_at_run_time(started: Started, here: Path) -> None:
    (here / "other.conf").write_text("[listen]\nport = 7\n")
    started.load()
    started.addon.running()
    started.options.update(turnout_config=str(here / "other.conf"), turnout_provider="anthropic")
    assert started.addon.bridge.settings is not None and started.addon.bridge.settings.listen.port == 7
    assert started.addon.bridge.dispatcher.pinned == "anthropic"


async def test_an_edit_that_would_open_the_gate_to_the_network_is_not_taken_over(
    started: Started, here: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A17 holds for live reloads too: without it, deleting a line would let anyone spend the credentials."""
    monkeypatch.setenv("TEAM_KEY", "a-key")
    file = here / "mitm.conf"
    file.write_text("[access]\nkeys = ['env:TEAM_KEY']\n")
    started.load(listen_host="0.0.0.0")
    before = started.addon.bridge.settings
    file.write_text("[listen]\nport = 7\n")
    started.addon.setup.look()
    assert started.addon.bridge.settings is before
    (line,) = errors(caplog)
    assert "the old one stays in force" in line and "access.keys" in line


async def test_secrets_that_lie_open_are_warned_about_once(
    started: Started, here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """C7."""
    caplog.set_level(logging.INFO, "turnout")
    file = here / "mitm.conf"
    file.write_text("[providers.minimax]\ncredentials = ['Zz9-literal']\n")
    started.load()
    started.addon.running()

    def warned() -> int:
        return caplog.text.count("providers.minimax.credentials.0 is taken for the secret itself")

    assert warned() == 1 and "Zz9" not in caplog.text
    started.options.update(connection_strategy="lazy", showhost=True)
    started.addon.setup.look()
    assert warned() == 1
    file.write_text(file.read_text() + "max_concurrent = 2\n")
    started.addon.setup.look()
    assert warned() == 1 and "reloaded" in caplog.text
    for key in ("env:A", "Zz9-literal"):
        file.write_text(f"[providers.minimax]\ncredentials = ['{key}']\n")
        started.addon.setup.look()
    assert warned() == 2


# --- whose flows ---


@pytest.mark.parametrize(
    ("mode", "live", "ours"),
    [
        (MODE, True, True),
        ("reverse:https://api.anthropic.com", True, True),
        (MODE, False, False),
        ("regular", True, False),
        ("upstream:http://127.0.0.1:1", True, False),
    ],
)
async def test_only_live_flows_of_reverse_mode_are_ours(started: Started, mode: str, live: bool, ours: bool) -> None:
    started.load()
    incoming = flow(mode=mode)
    incoming.live = live
    assert is_ours(incoming) is ours
    for hook in (started.addon.requestheaders, started.addon.request, started.addon.response, started.addon.error):
        await hook(incoming)
    assert (incoming.response is not None) is ours


@pytest.mark.parametrize(
    ("address", "keys", "mode", "served"),
    [
        ("127.0.0.1", False, MODE, True),
        ("::1", False, MODE, True),
        ("192.168.1.5", False, MODE, False),
        ("192.168.1.5", True, MODE, True),
        ("192.168.1.5", False, "regular", True),
    ],
)
async def test_a_client_from_the_network_is_turned_away_without_keys(
    started: Started, here: Path, monkeypatch: pytest.MonkeyPatch, address: str, keys: bool, mode: str, served: bool
) -> None:
    """A17, even while a listener is still open on every interface."""
    monkeypatch.setenv("TEAM_KEY", "a-key")
    (here / "mitm.conf").write_text("[access]\nkeys = ['env:TEAM_KEY']\n" if keys else "")
    started.load()
    client = tflow.tclient_conn()
    client.proxy_mode, client.sockname = ProxyMode.parse(mode), (address, 8082)
    client.error = None
    started.addon.client_connected(client)
    assert (client.error is None) is served


# --- failing closed ---

HOOKS = {
    "requestheaders": "arrive",
    "request": "attempt",
    "responseheaders": "answer_begins",
    "upstream_failed": "attempt_failed",
}
LAST_HOOKS = {"response": "finished", "error": "broken"}


def explode(*_: object) -> None:
    raise RuntimeError("boom sk-ant-api03-secret")


@pytest.mark.parametrize(("hook", "method"), HOOKS.items())
async def test_a_hook_that_raises_becomes_a_json_500(
    started: Started, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, hook: str, method: str
) -> None:
    started.load()
    monkeypatch.setattr(started.addon.bridge, method, explode)
    incoming = flow()
    await getattr(started.addon, hook)(incoming)
    assert incoming.response is not None and incoming.response.status_code == 500
    assert told(incoming) == {"type": "api_error", "message": "Turnout failed; see its log."}
    assert incoming.response.headers["content-type"] == "application/json"
    assert "internal error: RuntimeError: boom ***" in caplog.text


@pytest.mark.parametrize(("hook", "method"), LAST_HOOKS.items())
async def test_a_last_hook_that_raises_leaves_the_answer_as_it_is(
    started: Started, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, hook: str, method: str
) -> None:
    started.load()
    monkeypatch.setattr(started.addon.bridge, method, explode)
    incoming = flow()
    incoming.response = answer = http.Response.make(200, b"a good answer")
    await getattr(started.addon, hook)(incoming)
    assert incoming.response is answer and answer.status_code == 200
    assert "internal error: RuntimeError: boom ***" in caplog.text


@pytest.mark.parametrize("hook", HOOKS)
async def test_a_fault_while_a_fault_is_told_is_a_json_500_too(
    started: Started, monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    """Nothing of what tells a fault has to work for the request to stay here."""
    started.load()
    for method in (HOOKS[hook], "_refuse", "_let_go", "fault_at_end"):
        monkeypatch.setattr(started.addon.bridge, method, explode)
    incoming = flow()
    await getattr(started.addon, hook)(incoming)
    assert told(incoming) == {"type": "api_error", "message": "Turnout failed; see its log."}
    assert steering(incoming).monitor is None and steering(incoming).address is None


async def test_a_request_that_was_never_admitted_does_not_leave(started: Started) -> None:
    started.load()
    incoming = flow()
    await started.addon.request(incoming)
    assert incoming.response is not None and incoming.response.status_code == 500


async def test_a_flow_that_failed_of_itself_is_not_served(started: Started) -> None:
    started.load()
    incoming = flow()
    await started.addon.upstream_failed(incoming)
    assert incoming.response is not None and incoming.response.status_code == 500


@pytest.mark.parametrize(
    ("incoming", "status", "kind"),
    [
        (lambda: flow(b"/v1/nothing"), 404, "not_found_error"),
        (lambda: flow(b"/\xff"), 404, "not_found_error"),
        (lambda: flow(host="evil.example"), 403, "permission_error"),
        (lambda: flow(origin="https://evil.example"), 403, "permission_error"),
        (lambda: flow(content_length="99999999999"), 413, "request_too_large"),
    ],
)
async def test_refused_at_the_head(
    started: Started, caplog: pytest.LogCaptureFixture, incoming: Callable[[], http.HTTPFlow], status: int, kind: str
) -> None:
    started.load()
    refused = incoming()
    await started.addon.requestheaders(refused)
    assert refused.response is not None and refused.response.status_code == status
    assert told(refused)["type"] == kind and refused.comment.startswith("refused: ")
    assert refused.comment.encode(), "a comment that cannot be saved would break -w"
    assert "internal error" not in caplog.text


async def test_an_admitted_request_goes_on_without_an_answer(started: Started) -> None:
    started.load()
    incoming = flow(x_api_key="sk-ant-api03-key-of-the-client")
    await started.addon.requestheaders(incoming)
    assert incoming.response is None
    await started.addon.request(incoming)
    assert incoming.response is None and incoming.request.host == "api.anthropic.com"
    assert incoming.request.scheme == "https" and incoming.request.raw_content == BODY


async def test_unloading_leaves_nothing_held_and_no_secret(started: Started) -> None:
    started.load()
    incoming = flow(x_api_key="sk-ant-api03-key-of-the-client")
    await started.addon.requestheaders(incoming)
    await started.addon.request(incoming)
    started.context.master.addons.remove(started.addon)
    assert incoming.request.headers["x-api-key"] == "***"
    assert started.addon.bridge.dispatcher.counts["open"] == 0


def test_a_fault_in_a_connection_hook_is_told_without_secrets(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    addon = Turnout()

    def explode(*_: object) -> None:
        raise RuntimeError("boom sk-ant-api03-abcdefgh")

    monkeypatch.setattr(addon.deadlines, "settled", explode)
    data: Any = SimpleNamespace(server=SimpleNamespace(id="1"))
    addon.server_disconnected(data)
    assert "internal error in server_disconnected: RuntimeError: boom ***" in caplog.text
