"""Reading the configuration: priority of its sources, presets, and errors that say where, what and what to do."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from turnout.errors import ConfigError
from turnout.redaction.secret import Secret
from turnout.settings import privacy
from turnout.settings.exposure import exposed_secrets
from turnout.settings.load import DEFAULT_PROVIDER, load, merge, presets, salvage
from turnout.settings.model import Meaning, Provider, Settings
from turnout.settings.reference import CredentialReference

LITERAL = "Zz9-a-literal-of-no-known-form"

Load = Callable[..., Settings]


@pytest.fixture
def written(tmp_path: Path) -> Load:
    """Loads a config file with this text, beside this `.env`, in a process with these variables only."""

    def run(config: str = "", dotenv: str | None = None, **process: str) -> Settings:
        (tmp_path / "mitm.conf").write_text(config, encoding="utf-8")
        if dotenv is not None:
            (tmp_path / ".env").write_text(dotenv, encoding="utf-8")
            (tmp_path / ".env").chmod(0o600)
        return load(str(tmp_path / "mitm.conf"), process)

    return run


# --- presets ---


@pytest.mark.parametrize("name", list(presets()))
def test_every_preset_is_a_valid_provider(name: str) -> None:
    provider = Provider.model_validate({**presets()[name], "name": name})
    assert provider.host and set(provider.error_codes.values()) <= set(get_args(Meaning))
    assert (provider.auth == "none") == (not provider.credentials)
    assert all(reference.source != "literal" for reference in provider.credentials)
    assert len(set(provider.models)) == len(provider.models)
    assert provider.base_url.startswith("https://") or provider.host == "127.0.0.1"


def test_the_promised_presets_are_there() -> None:
    names = "anthropic minimax moonshot zai deepseek qwen openrouter fireworks ollama lmstudio llamacpp vllm litellm"
    assert set(names.split()) <= set(presets())


def test_a_table_named_like_a_preset_starts_from_it(written: Load) -> None:
    provider = written('[providers.minimax]\nmax_concurrent = 9\nerror_codes = { 7 = "quota" }').providers["minimax"]
    assert provider.max_concurrent == 9 and provider.base_url == presets()["minimax"]["base_url"]
    assert provider.error_codes == {**presets()["minimax"]["error_codes"], "7": "quota"}
    assert written().providers.keys() == {"anthropic"}, "presets are not changed by being used"


@pytest.mark.parametrize("name", ["ollama", "lmstudio", "llamacpp", "vllm", "sglang", "llamacpp-openai"])
@pytest.mark.parametrize(
    ("keys", "auth"),
    [("", "none"), ("credentials = []", "none"), ('credentials = "env:KEY"', "bearer")]
    + [(f'credentials = "env:KEY"\nauth = "{auth}"', auth) for auth in ("x-api-key", "none")],
)
def test_a_server_of_ones_own_is_sent_the_key_that_is_given(written: Load, name: str, keys: str, auth: str) -> None:
    assert written(f"[providers.{name}]\n{keys}").providers[name].auth == auth


def test_presets_that_targets_name_need_no_table(written: Load) -> None:
    config = '[[routes]]\nmodel = "x"\nto = ["zai/glm-5", "moonshot"]\n[models.mine]\nto = "ollama/qwen3"'
    assert written(config).providers.keys() == {"zai", "moonshot", "ollama", "anthropic"}


def test_without_a_file_everything_is_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(None, {"HOME": str(tmp_path)})
    assert settings.file is None and settings.routes == () and settings.providers.keys() == {DEFAULT_PROVIDER}
    assert (settings.listen.host, settings.listen.port) == ("127.0.0.1", 8082)  # A1


def test_the_environment_of_the_process_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TURNOUT_LISTEN__PORT", "9999")
    assert load().listen.port == 9999


def test_merging_leaves_both_as_they_were() -> None:
    base, over = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}, "d": {"e": 5}}
    assert merge(base, over) == {"a": {"b": 1, "c": 4}, "d": {"e": 5}}
    assert base == {"a": {"b": 1, "c": 2}, "d": 3} and over == {"a": {"c": 4}, "d": {"e": 5}}


# --- priority (E12) ---


@pytest.mark.parametrize(
    ("dotenv", "process", "port"),
    [
        (None, {}, 1),
        ("TURNOUT_LISTEN__PORT=2", {}, 2),
        ("TURNOUT_LISTEN__PORT=2", {"TURNOUT_LISTEN__PORT": "3"}, 3),
        (None, {"turnout_listen__port": "3"}, 3),
        (None, {"TURNOUT_LISTEN": '{"port": 4}'}, 4),
        (None, {"TURNOUT_LISTEN_PORT": "5"}, 1),
    ],
)
def test_process_over_dotenv_over_file(written: Load, dotenv: str | None, process: dict[str, str], port: int) -> None:
    settings = written('[listen]\nport = 1\nhost = "::1"', dotenv, **process)
    assert settings.listen.port == port and settings.listen.host == "::1"


def test_the_process_comes_before_dotenv_in_whatever_form(written: Load) -> None:
    """The nested name of the one once outranked the JSON of the other."""
    settings = written("", "TURNOUT_ACCESS__KEYS=[]\n", TURNOUT_ACCESS='{"keys": ["of-the-process"]}')
    assert [str(key) for key in settings.access.keys] == ["literal"]


def test_variables_reach_providers_lists_and_tables(written: Load) -> None:
    settings = written(
        "[providers.minimax]\nmax_concurrent = 9",
        TURNOUT_PROVIDERS__MINIMAX__MAX_CONCURRENT="3",
        TURNOUT_PROVIDERS__MINIMAX__CREDENTIALS='["env:A", "env:B"]',
        TURNOUT_PROVIDERS__MINIMAX__ALIASES__OPUS="MiniMax-M3",
        TURNOUT_ACCESS__KEYS='["env:KEY"]',
        TURNOUT_TIMEOUTS__IDLE="5m",
        TURNOUT_RETRY__MAX_ELAPSED="0s",
    )
    minimax = settings.providers["minimax"]
    assert minimax.max_concurrent == 3 and minimax.aliases == {"opus": "MiniMax-M3"}
    assert [str(reference) for reference in minimax.credentials] == ["env:A", "env:B"]
    assert settings.access.keys == (CredentialReference(source="env", name="KEY"),)
    assert settings.timeouts.idle == 300 and settings.retry.max_elapsed == 0
    assert settings.timeouts.model_fields_set == {"idle"}, "what nobody has set fits the plan"


def test_credentials_find_variables_of_both_places(written: Load) -> None:
    dotenv = "export A='from $HOME dotenv'\nB=dotenv\n# note\nEMPTY=\nNO_VALUE\n"
    environment = written("", dotenv, B="process", C="process").environment
    assert {name: secret.reveal() for name, secret in environment.items()} == {
        "A": "from $HOME dotenv",
        "B": "process",
        "C": "process",
        "EMPTY": "",
    }


# --- secrets that lie open (C7, DESIGN 5) ---


def test_literal_credentials_are_warned_about(written: Load, tmp_path: Path) -> None:
    config = f'[access]\nkeys = ["{LITERAL}1"]\n[providers.minimax]\ncredentials = ["env:A", "{LITERAL}2"]'
    settings = written(config)
    (tmp_path / "mitm.conf").chmod(0o600)
    first, second = exposed_secrets(settings)
    assert first.startswith(f"{tmp_path / 'mitm.conf'}: providers.minimax.credentials.1 ")
    assert second.startswith(f"{tmp_path / 'mitm.conf'}: access.keys.0 ")
    assert "env:NAME" in first and LITERAL not in first + second


def test_references_are_not_warned_about(written: Load) -> None:
    config = '[providers.minimax]\ncredentials = ["env:A", "keyring:a/b", "file:x", "file", "keychain", "client"]'
    assert not exposed_secrets(written(config, "A=1"))


@pytest.mark.skipif(os.name != "posix", reason="permission bits")
@pytest.mark.parametrize(("mode", "warned"), [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1), (0o644, 1)])
def test_a_dotenv_that_others_can_read_is_warned_about(written: Load, tmp_path: Path, mode: int, warned: int) -> None:
    """C7."""
    file = tmp_path / ".env"
    file.write_text(f"KEY={LITERAL}")
    file.chmod(mode)
    warnings = exposed_secrets(written())
    assert warnings == [f"{file}: other users of this computer can read it; run: chmod 600 {file}"] * warned


def test_permission_bits_mean_nothing_elsewhere(written: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").touch()
    (tmp_path / ".env").chmod(0o666)
    monkeypatch.setattr(privacy, "os", SimpleNamespace(name="nt"))
    assert not exposed_secrets(written())


@pytest.mark.skipif(os.name != "posix", reason="permission bits")
@pytest.mark.parametrize(("key", "mode", "warned"), [(LITERAL, 0o644, 1), (LITERAL, 0o600, 0), ("env:A", 0o644, 0)])
def test_a_configuration_with_a_key_that_others_can_read_is_warned_about(
    written: Load, tmp_path: Path, key: str, mode: int, warned: int
) -> None:
    settings = written(f'[access]\nkeys = ["{key}"]', "A=1")
    file = tmp_path / "mitm.conf"
    file.chmod(mode)
    told = f"{file}: other users of this computer can read it; run: chmod 600 {file}"
    assert exposed_secrets(settings).count(told) == warned


# --- errors ---


@pytest.mark.parametrize(
    ("config", "key", "told"),
    [
        ("[listen]\nprot = 1", "listen.prot", "unknown key. Did you mean port?"),
        ('reply_model = "both"', "reply_model", '"both" is not supported; known: asked or served'),
        ("zzz = 1", "zzz", "unknown key. Known keys: listen, access, providers, routes, models, reply_model, retry"),
        ("environment = {}", "environment", "unknown key. Known keys: listen"),
        ('file = "x"', "file", "unknown key. Known keys: listen"),
        ('[providers.minimax]\nname = "x"', "providers.minimax.name", "unknown key. Known keys: kind"),
        ("[providers.minimax]\nbase_ulr = 1", "providers.minimax.base_ulr", "Did you mean base_url?"),
        ('[providers.listen]\nbase_url = "http://x"\nrotat = 1', "providers.listen.rotat", "Did you mean rotate?"),
        ('[[routes]]\nmodel = "*"\nto = "zai"\nwhen = { clas = 1 }', "routes.0.when.clas", "Did you mean class?"),
        ('[[routes]]\nmodel = "*"\nto = "zai"\nfrom = 1', "routes.0.from", "Known keys: model, when, to"),
        ('[models.when]\nto = "zai"\ncontext = 1', "models.when.context", "Did you mean context_length?"),
        ('[providers.minimax]\napi_key = "x"', "providers.minimax.api_key", "unknown key. Did you mean credentials?"),
        ('[providers.minimax]\nurl = "http://x"', "providers.minimax.url", "unknown key. Did you mean base_url?"),
        ('[[routes]]\nmodel = "*"\nto = "mine"', "routes.0.to", "names no known provider. Add a [providers.NAME]"),
        ("[providers.mine]", "providers.mine.base_url", "a value is missing. A provider that is not a preset"),
        ('[[routes]]\nmodel = "*"\nto = "antropic"', "routes.0.to", "names no known provider. Did you mean anthropic?"),
        ('[models.x]\nto = "qqq/x"', "models.x.to", "'qqq/x' names no known provider. Add a [providers.NAME]"),
        ('[[routes]]\nmodel = "*"\nto = [""]', "routes.0.to", "names no known provider"),
        ('[[routes]]\nmodel = "*"\nto = 5', "routes.0.to", "a list is expected"),
        ('[[routes]]\nmodel = "*"\nto = [5]', "routes.0.to.0", "is not a text in quotes"),
        ('[[routes]]\nmodel = []\nto = "zai"', "routes.0.model", "at least one value is expected"),
        ('[[routes]]\nmodel = "a["\nto = "zai"', "routes.0.model.0", "'a[' is not a valid glob"),
        ("routes = 5", "routes", "a list is expected. Write every route as [[routes]]"),
        ('[routes]\nmodel = "*"\nto = "zai"', "routes", "a list is expected. Write every route as [[routes]]"),
        ("routes = [5]", "routes.0", "a table is expected"),
        ("models = 5", "models", "a table is expected"),
        ("providers = 5", "providers", "a table is expected"),
        ("providers.x = 5", "providers.x", "a table is expected"),
        ('[providers.x]\nkind = "anthropic"', "providers.x.base_url", "a value is missing. A provider that is not"),
        ("[providers.minmax]", "providers.minmax.base_url", "is missing. Did you mean minimax? A provider that is"),
        ("[providers.minmax.rewrite]", "providers.minmax.base_url", "Did you mean minimax?"),
        ('[providers.x]\nbase_url = "x"', "providers.x.base_url", "'x' is not an http(s) URL; write for example"),
        (
            '[providers.minimax]\nkind = "opnai"',
            "providers.minimax.kind",
            '"opnai" is not supported; known: anthropic or openai. Did you mean openai?',
        ),
        ('[providers.minimax]\nkind = "OpenAI"', "providers.minimax.kind", "Did you mean openai?"),
        ('[providers.groq]\nkind = "anthropic"', "providers.groq.base_url", 'groq has kind "openai" alone: leave'),
        ('[providers.litellm]\nkind = "openai"', "providers.litellm.base_url", 'litellm has kind "anthropic" alone: '),
        ('[providers.zai]\nrewrite.chat.strict = "false"', "providers.zai.rewrite.chat", "only providers of kind open"),
        (
            '[providers.zai.rewrite.models."a.b"]\nchat = { strict = "false" }',
            "providers.zai.rewrite.models.a.b.chat",
            'Write kind = "openai" if the server speaks Chat',
        ),
        ('[providers.x]\nkind = "openai"\nbase_url = "x"', "providers.x.base_url", "write for example https://api.ex"),
        (
            '[providers.x]\nkind = "openai"\nbase_url = "http://x/v1/messages"',
            "providers.x.base_url",
            "(messages): a provider of kind openai is asked for /chat/completions",
        ),
        (
            '[providers.x]\nbase_url = "http://x/v1/chat/completions"',
            "providers.x.base_url",
            'or set kind = "openai" for one that speaks',
        ),
        ("[providers.zai]\nquery = { v = '1' }", "providers.zai.query", "only providers of kind openai have it"),
        ("[providers.groq]\nquery = { api-key = 'hush' }", "providers.groq.query", "api-key looks like a secret"),
        ("[providers.groq]\nquery = { v = 1 }", "providers.groq.query.v", "is not a text in quotes"),
        ("[providers.groq]\nfirst_party = true", "providers.groq.first_party", "providers of kind anthropic can be"),
        ('[providers.groq]\ncount_tokens = "provider"', "providers.groq.count_tokens", "openai counts no tokens"),
        ("[providers.minimax]\ncredentials = 5", "providers.minimax.credentials", "a list is expected"),
        ('[providers.minimax]\nauth = "basic"', "providers.minimax.auth", "known: x-api-key, bearer, api-key or none"),
        ('[providers.minimax]\npings = "maybe"', "providers.minimax.pings", "is neither true nor false"),
        ('[access]\nkeys = "MY_TEAM_KEY"', "access.keys.0", "the name of a variable; did you mean env:NAME?"),
        ("[providers.minimax]\ncredentials = [5]", "providers.minimax.credentials.0", "a credential is a string: one"),
        ('[providers.minimax]\ncredentials = ["env:"]', "providers.minimax.credentials.0", "env: needs a name"),
        (
            '[providers.minimax.error_codes]\n7 = "quotas"',
            "providers.minimax.error_codes.7",
            '"quotas" is not supported; known: quota,',
        ),
        ('[timeouts]\nidle = "5 weeks"', "timeouts.idle", "'5 weeks' is not a duration; write for example 500ms"),
        ('[access]\nmax_body = "much"', "access.max_body", "'much' is not a size; write for example 512KB"),
        (f'[access]\nmax_body = "{"9" * 400}"', "access.max_body", "beyond all bounds"),
        ("[listen]\nport = 70000", "listen.port", "must be at most 65535"),
        ("[listen]\nport = 'abc'", "listen.port", "is not a whole number"),
        ("[listen]\nport = 1.5", "listen.port", "is not a whole number"),
        ("[limits]\nanswr = 1", "limits.answr", "unknown key. Did you mean answer?"),
        ("[retry]\nmultiplier = 0", "retry.multiplier", "must be at least 1"),
        ("[timeouts]\nidle = 0", "timeouts.idle", "must be more than 0"),
        ("[providers.minimax.timeouts]\nidle = 0", "providers.minimax.timeouts.idle", "must be more than 0"),
        (
            '[providers.minimax.timeouts]\nfirst_evnt = "10m"',
            "providers.minimax.timeouts.first_evnt",
            "unknown key. Did you mean first_event?",
        ),
        (
            "[providers.minimax.timeouts]\nzzz = 1",
            "providers.minimax.timeouts.zzz",
            "unknown key. Known keys: connect, first_event, idle, request, ping_after",
        ),
        ("[providers.minimax]\ntimeouts = 5", "providers.minimax.timeouts", "a table is expected"),
        ("[[routes]]\nmodel = '*'", "routes.0.to", "a value is missing"),
    ],
)
def test_mistakes_are_told_with_file_key_and_suggestion(
    written: Load, tmp_path: Path, config: str, key: str, told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        written(config)
    assert caught.value.file == tmp_path / "mitm.conf" and caught.value.key == key
    assert told in str(caught.value) and str(caught.value).startswith(f"{tmp_path / 'mitm.conf'}: {key}: ")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (f'"{LITERAL}"', "auth: is not supported; known: x-api-key"),
        ('"hunter2"', "auth: is not supported; known: x-api-key"),
        ('"baerer"', 'auth: "baerer" is not supported; known: x-api-key, bearer, api-key or none. Did you'),
        ("5", "auth: is not supported; known: x-api-key"),
    ],
)
def test_of_what_may_be_a_key_nothing_is_quoted(written: Load, value: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        written(f"[providers.minimax]\nauth = {value}")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "config",
    [
        *(f'[providers.minimax]\n{key} = "Zq7hunter2secret"' for key in ("kind", "base_url", "rotate")),
        '[providers.minimax]\nbase_url = "ada:hunter2@api.example.com"',
        '[providers.groq]\nbase_url = "Zq7hunter2secret"',
        '[providers.groq.rewrite.chat]\nstrict = "Zq7hunter2secret"',
        '[providers.minimax.error_codes]\n7 = "Zq7hunter2secret"',
        'reply_model = "Zq7hunter2secret"',
        '[[routes]]\nmodel = "*"\nto = "sk-ant-api03-hunter2"',
    ],
)
def test_a_key_at_a_wrong_place_is_not_told(written: Load, config: str) -> None:
    with pytest.raises(ConfigError) as caught:
        written(config)
    assert "hunter2" not in f"{caught.value} {caught.value.suggestion}"


@pytest.mark.parametrize(
    ("process", "told"),
    [
        ({"TURNOUT_LISTEN__PORT": "abc"}, "TURNOUT_LISTEN__PORT: is not a whole number"),
        ({"TURNOUT_LISTEN__PROT": "1"}, "TURNOUT_LISTEN__PROT: unknown key. Did you mean port?"),
        ({"TURNOUT_LISTEN": "5"}, "TURNOUT_LISTEN: a table is expected"),
        ({"TURNOUT_ACCESS__KEYS": '["env:"]'}, "TURNOUT_ACCESS__KEYS: env: needs a name"),
        ({"TURNOUT_ACCESS__KEYS": LITERAL}, "a TURNOUT_… variable cannot be read"),
        ({"TURNOUT_LISTEN": '{"port": '}, "Lists and tables are written as JSON"),
        ({"TURNOUT_TIMEOUTS__IDLE": "x", "TURNOUT_LISTEN__PORT": "1"}, "TURNOUT_TIMEOUTS__IDLE: 'x' is not a duration"),
    ],
)
def test_mistakes_in_variables_name_the_variable_and_no_file(written: Load, process: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        written("", **process)
    assert caught.value.file is None and told in str(caught.value) and LITERAL not in str(caught.value)


def test_a_mistake_of_the_file_is_not_blamed_on_a_variable(written: Load, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        written("[listen]\nhots = 'x'", TURNOUT_LISTEN__PORT="1")
    assert caught.value.file == tmp_path / "mitm.conf" and caught.value.key == "listen.hots"


def test_other_mistakes_are_told_along_with_the_first(written: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        written("[listen]\nprot = 1\nport = 'x'\n[retry]\nmultiplier = 0", TURNOUT_TIMEOUTS__IDLE="x")
    assert (caught.value.key, caught.value.reason) == ("listen.port", "is not a whole number")
    assert caught.value.suggestion == (
        "Also: listen.prot: unknown key (Did you mean port?); retry.multiplier: must be at least 1; "
        "TURNOUT_TIMEOUTS__IDLE: 'x' is not a duration; write for example 500ms, 10s, 5m or 1h"
    )


def test_a_suggestion_comes_before_other_mistakes(written: Load) -> None:
    with pytest.raises(ConfigError, match=r"listen\.prot: unknown key\. Did you mean port\? Also: retry\.multi: "):
        written("[listen]\nprot = 1\n[retry]\nmulti = 0")


def test_five_mistakes_are_enough(written: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        written("\n".join(f"unknown{number} = 1" for number in range(9)))
    assert str(caught.value).count("unknown key") == 5


@pytest.mark.parametrize(
    ("config", "host", "port", "keys"),
    [
        ('[listen]\nport = 9\nhost = "::1"\n[access]\nkeys = "env:A"\n[providers]\nx = 1', "::1", 9, ["env:A"]),
        ('[listen]\nport = 9\nprot = 1\nhost = 5\n[access]\nkyes = 1\nkeys = ["env:A"]', "127.0.0.1", 9, ["env:A"]),
        ("listen = 5\naccess = []", "127.0.0.1", 8082, []),
        ('[listen]\nport = 70000\n[access]\nkeys = ["env:"]', "127.0.0.1", 8082, []),
        ("[listen]\nport = ", "127.0.0.1", 8082, []),
    ],
)
def test_what_is_sound_of_a_configuration_with_mistakes(
    written: Load, tmp_path: Path, config: str, host: str, port: int, keys: list[str]
) -> None:
    with pytest.raises(ConfigError):
        written(config)
    settings = salvage(str(tmp_path / "mitm.conf"), {})
    assert (settings.listen.host, settings.listen.port) == (host, port)
    assert [str(key) for key in settings.access.keys] == keys


def test_what_is_sound_comes_from_the_sources_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "mitm.conf").write_text("[listen]\nport = 7")
    (tmp_path / ".env").write_bytes(b"A=\xff\n")
    file = str(tmp_path / "mitm.conf")
    assert salvage(file, {}).listen.port == 7
    assert salvage(file, {"TURNOUT_LISTEN__PORT": "8"}).listen.port == 8
    assert salvage(file, {"TURNOUT_LISTEN": "{"}).listen.port == 7
    assert salvage(str(tmp_path / "no.conf"), {}).listen.port == 8082


def test_one_name_need_not_be_a_list(written: Load) -> None:
    settings = written(
        '[access]\nkeys = "env:A"\nhosts = "x"\n[providers.minimax]\ncredentials = "env:B"\nmodels = "m"'
    )
    assert [str(key) for key in settings.access.keys] == ["env:A"] and settings.access.hosts == ("x",)
    minimax = settings.providers["minimax"]
    assert [str(reference) for reference in minimax.credentials] == ["env:B"] and minimax.models == ("m",)


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    for chosen, process in ((str(tmp_path / "no.conf"), {}), (None, {"TURNOUT_CONFIG": str(tmp_path / "no.conf")})):
        with pytest.raises(ConfigError, match=r"no\.conf: there is no such file\. Write one with `turnout init`"):
            load(chosen, process)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"listen = ", "not valid TOML"),
        (b"[a]\nb = yes", r"not valid TOML: Invalid value \(at line 2, column 5\)\. Strings need quotes$"),
        (b"[a", r"not valid TOML: .* \(at .*\)$"),
        (b"a = 1\na = 2", "not valid TOML"),
        (b"sk-ant-api03-secret = 1\nsk-ant-api03-secret = 1", "not valid TOML"),
        (b"a = \xff", "not UTF-8"),
        (b"a = " + b"9" * 5000, "not valid TOML"),
        (b"a = " + b"[" * 5000, "not valid TOML"),
    ],
)
def test_files_that_cannot_be_parsed(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "mitm.conf").write_bytes(content)
    with pytest.raises(ConfigError, match=told) as caught:
        load(str(tmp_path / "mitm.conf"), {})
    assert "api03-secret" not in str(caught.value)


@pytest.mark.parametrize("chosen", ["\0", "~nobody-of-that-name/mitm.conf"])
def test_names_that_no_file_can_have(chosen: str) -> None:
    with pytest.raises(ConfigError):
        load(chosen, {})


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the file cannot be read \(Is a directory\)"):
        load(str(tmp_path), {})


def test_a_dotenv_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "mitm.conf").touch()
    (tmp_path / ".env").write_bytes(b"A=\xff\n")
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        load(str(tmp_path / "mitm.conf"), {})
    assert caught.value.file == tmp_path / ".env"


def test_a_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "mitm.conf").write_bytes(b"\xef\xbb\xbf[listen]\r\nport = 7\r\n")
    assert load(str(tmp_path / "mitm.conf"), {}).listen.port == 7


_WORDS = st.sampled_from(
    [
        "listen",
        "access",
        "providers",
        "routes",
        "models",
        "retry",
        "timeouts",
        "when",
        "model",
        "to",
        "keys",
        "name",
        "credentials",
        "base_url",
        "kind",
        "port",
        "host",
        "anthropic",
        "minimax",
        "error_codes",
        "aliases",
        "file",
        "x",
    ]
)
_VALUES = st.recursive(
    st.integers()
    | st.booleans()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["*", "anthropic", "env:A", "5s"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=8,
)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(character):08x}" for character in value) + '"'
    return repr(value)


_one_folder = hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
"""Every example overwrites the files of the one before."""


@_one_folder
@given(st.dictionaries(_WORDS, _VALUES, max_size=4), st.dictionaries(_WORDS, _VALUES, max_size=3))
@example({"routes": [{"model": "*", "to": 5}]}, {})
def test_no_table_makes_it_raise_anything_else_or_show_a_literal(
    written: Load, table: dict[str, object], minimax: dict[str, object]
) -> None:
    minimax["credentials"] = [
        LITERAL,
        *(minimax["credentials"] if isinstance(minimax.get("credentials"), list) else []),
    ]
    inner = table.get("providers")
    table["providers"] = {**(inner if isinstance(inner, dict) else {}), "minimax": minimax}
    text = "\n".join(f"{key} = {_toml(value)}" for key, value in table.items())
    try:
        settings = written(text)
    except ConfigError as error:
        assert LITERAL not in str(error) and str(error.file) in str(error)
    else:
        assert Secret(LITERAL) == settings.providers["minimax"].credentials[0].literal and LITERAL not in repr(settings)


@_one_folder
@given(st.text())
@example('[a]\n"' + '"."'.join("x" * 2000) + '" = 1')
def test_no_text_makes_it_raise_anything_else(written: Load, text: str) -> None:
    try:
        settings = written(text.encode(errors="replace").decode())
    except ConfigError as error:
        assert "mitm.conf" in str(error)
    else:
        assert tomllib.loads(settings.file.read_text(encoding="utf-8-sig")) == {} or settings.providers  # type: ignore[union-attr]


def test_deadlines_of_one_provider(written: Load) -> None:
    """A model on one's own machine reads a long prompt for minutes (ollama/ollama#13949)."""
    name = "TURNOUT_PROVIDERS__VLLM__TIMEOUTS__IDLE"
    general = '[timeouts]\nfirst_event = "20s"\nconnect = "3s"\n'
    own = '[providers.ollama.timeouts]\nrequest = "30m"\n[providers.vllm]\n'
    settings = written(general + own, **{name: "7m"})
    chosen = {key: settings.providers[key].timeouts.over(settings.timeouts) for key in ("ollama", "vllm", "anthropic")}
    assert [(each.connect, each.first_event, each.idle, each.request) for each in chosen.values()] == [
        (3, 600, 180, 1800),
        (3, 600, 420, 600),
        (3, 20, 180, 600),
    ]
