"""C2: the old config.json becomes a mitm.conf that does the same, loads always, and holds no secret."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import ConfigError
from turnout.settings.base_url import messages_base_url
from turnout.settings.importers import import_failover
from turnout.settings.load import load
from turnout.settings.old_config import Imported, read_json

FILE = Path("config.json")
MINIMAX = {"name": "minimax", "base_url": "https://api.minimax.io/anthropic", "api_key_env": "MINIMAX_API_KEY"}
GATEWAY = {"name": "gateway", "base_url": "https://gateway.example/llm", "api_key_env": "GATEWAY_KEY"}


def imported(*providers: Any, **top: Any) -> Imported:
    return import_failover({"providers": list(providers), **top}, FILE)


def table(*providers: Any, **top: Any) -> dict[str, Any]:
    return tomllib.loads(imported(*providers, **top).text)


def test_the_whole_of_it() -> None:
    result = imported(MINIMAX, GATEWAY, proxy_port=8083, cooldown_minutes=5)
    assert tomllib.loads(result.text) == {
        "listen": {"port": 8083},
        "providers": {
            "minimax": {"credentials": ["env:MINIMAX_API_KEY"], "cooldown": "5m"},
            "gateway": {
                "base_url": "https://gateway.example/llm",
                "auth": "bearer",
                "credentials": ["env:GATEWAY_KEY"],
                "cooldown": "5m",
            },
        },
        "routes": [{"model": "*", "to": ["minimax", "gateway"]}],
    }
    assert result.variables == ("MINIMAX_API_KEY", "GATEWAY_KEY")
    assert result.warnings == ()


def test_what_is_not_said_is_left_to_the_defaults() -> None:
    assert table({"name": "minimax", "base_url": "https://api.minimax.io/anthropic/"}) == {
        "providers": {"minimax": {}},
        "routes": [{"model": "*", "to": ["minimax"]}],
    }


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        (MINIMAX | {"base_url": "https://other.example"}, {"base_url": "https://other.example"}),
        (
            {"name": "ollama", "base_url": "http://127.0.0.1:11434", "api_key_env": "MINIMAX_API_KEY"},
            {"auth": "bearer"},
        ),
        (
            {"name": "anthropic", "base_url": "https://api.anthropic.com", "api_key_env": "MINIMAX_API_KEY"},
            {},
        ),
    ],
)
def test_only_what_differs_from_the_preset_is_written(provider: dict[str, str], expected: dict[str, str]) -> None:
    name = provider["name"]
    assert table(provider)["providers"][name] == {"credentials": ["env:MINIMAX_API_KEY"], **expected}


@pytest.mark.parametrize(
    ("name", "base_url", "expected"),
    [
        ("mine", "https://llm.example/v1/chat/completions/", {"kind": "openai", "base_url": "https://llm.example/v1"}),
        ("groq", "https://api.groq.com/openai/v1/", {"auth": None}),
        ("groq", "https://groq.example/v1", {"kind": "anthropic", "base_url": "https://groq.example"}),
        ("deepseek", "https://api.deepseek.com/chat/completions", {"kind": "openai", "auth": None}),
        ("ollama", "http://127.0.0.1:11434/v1", {}),
    ],
)
def test_what_a_provider_speaks_is_told_by_its_address(name: str, base_url: str, expected: dict[str, Any]) -> None:
    """E8."""
    [written] = table({"name": name, "base_url": base_url, "api_key_env": "KEY"})["providers"].values()
    said = {"credentials": ["env:KEY"], "auth": "bearer", **expected}
    assert written == {key: value for key, value in said.items() if value is not None}


def test_a_provider_without_a_key_is_sent_none() -> None:
    keyless = {"name": "local", "base_url": "http://127.0.0.1:9000"}
    assert table(keyless)["providers"] == {"local": {"base_url": "http://127.0.0.1:9000", "auth": "none"}}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["MiniMax"], ["minimax"]),
        (["My gateway (2)"], ["my-gateway-2"]),
        (["a.b", "a/b", "a_b"], ["a-b", "a-b-2", "a_b-3"]),
        (["x", "x-2", "x"], ["x", "x-2", "x-3"]),
        (["7"], ["7"]),
    ],
)
def test_names_become_bare_keys_and_stay_different(names: list[str], expected: list[str]) -> None:
    result = table(*(GATEWAY | {"name": name} for name in names))
    assert list(result["providers"]) == expected
    assert result["routes"][0]["to"] == expected


def test_an_old_name_stays_in_a_comment() -> None:
    assert '# its name was "My gateway"\n' in imported(GATEWAY | {"name": "My gateway"}).text


def test_the_second_of_a_name_takes_its_key_as_the_first_does() -> None:
    anthropic = {"name": "anthropic", "base_url": "https://api.anthropic.com", "api_key_env": "FIRST_KEY"}
    providers = table(anthropic, anthropic | {"api_key_env": "SECOND_KEY"})["providers"]
    assert providers["anthropic-2"]["auth"] == "x-api-key"
    assert providers["anthropic-2"]["base_url"] == "https://api.anthropic.com"


@pytest.mark.parametrize(("minutes", "expected"), [(5, "5m"), (2.5, "2.5m"), (10, "10m"), (0.00001, "0.00001m")])
def test_cooldown(minutes: float, expected: str) -> None:
    assert table(MINIMAX, cooldown_minutes=minutes)["providers"]["minimax"]["cooldown"] == expected


def test_unknown_keys_stay_as_comments_without_secrets() -> None:
    result = imported(
        MINIMAX | {"weight": 3, "auth_token": "hidden1", "proxy": "http://me:hidden2@proxy"},
        log={"level": "debug", "headers": {"x-key": ["hidden3"]}},
        note="a\nb\x7f sk-ant-hidden4hidden4 hidden5",
        deep=[[[[[[[["hidden6"]]]]]]]],
        providers=[
            MINIMAX | {"weight": 3, "auth_token": "hidden1", "proxy": "http://me:hidden2@proxy", "api_key": "hidden5"}
        ],
    )
    assert "# not taken over: providers.0.weight = 3\n" in result.text
    assert '# not taken over: providers.0.auth_token = "***"\n' in result.text
    assert '# not taken over: providers.0.proxy = "http://***@proxy"\n' in result.text
    assert '# not taken over: log = {"level": "debug", "headers": {"x-key": ["***"]}}\n' in result.text
    assert '# not taken over: note = "a\\nb\\u007f *** ***"\n' in result.text
    assert "hidden" not in result.text
    assert "hidden" not in " ".join(result.warnings)
    assert any("not taken over" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("extra", "variable"),
    [
        ({"name": "my gateway"}, "MY_GATEWAY_API_KEY"),
        ({"name": "7up"}, "_7UP_API_KEY"),
        ({"api_key_env": "MINE"}, "MINE"),
    ],
)
def test_an_inline_key_becomes_a_variable(extra: dict[str, str], variable: str) -> None:
    provider = {"name": "gateway", "base_url": "https://gateway.example", "api_key": "hush-hush"} | extra
    result = imported(provider)
    [written] = tomllib.loads(result.text)["providers"].values()
    assert written["credentials"] == [f"env:{variable}"]
    assert result.variables == (variable,)
    assert result.warnings == (f"providers.0.api_key was not copied: put that key into .env as {variable}=…",)
    assert "hush-hush" not in result.text


@pytest.mark.parametrize(
    ("old", "key", "reason"),
    [
        ([], "", "a JSON object is expected"),
        ({}, "providers", "a value is missing"),
        ({"providers": []}, "providers", "at least one provider"),
        ({"providers": {}}, "providers", "a list"),
        ({"providers": ["minimax"]}, "providers.0", "a JSON object is expected"),
        ({"providers": [{"base_url": "https://x.example"}]}, "providers.0.name", "a value is missing"),
        ({"providers": [MINIMAX, {"name": "x"}]}, "providers.1.base_url", "a value is missing"),
        ({"providers": [MINIMAX | {"name": 5}]}, "providers.0.name", "not a text"),
        ({"providers": [MINIMAX | {"name": "…"}]}, "providers.0.name", "no letter"),
        ({"providers": [MINIMAX | {"name": "a\ud800"}]}, "providers.0.name", "cannot be printed"),
        ({"providers": [MINIMAX | {"base_url": "x.example"}]}, "providers.0.base_url", "not an http(s) URL"),
        ({"providers": [MINIMAX | {"base_url": "https://h:99999"}]}, "providers.0.base_url", "ort"),
        ({"providers": [MINIMAX | {"base_url": "ftp://me:hush@h"}]}, "providers.0.base_url", "ftp://***@h"),
        ({"providers": [MINIMAX | {"api_key_env": "sk-hush-hush"}]}, "providers.0.api_key_env", "name of a variable"),
        ({"providers": [MINIMAX], "proxy_port": "8082"}, "proxy_port", "not a port"),
        ({"providers": [MINIMAX], "proxy_port": True}, "proxy_port", "not a port"),
        ({"providers": [MINIMAX], "proxy_port": 65536}, "proxy_port", "not a port"),
        ({"providers": [MINIMAX], "cooldown_minutes": 0}, "cooldown_minutes", "more than 0"),
        ({"providers": [MINIMAX], "cooldown_minutes": float("nan")}, "cooldown_minutes", "more than 0"),
        ({"providers": [MINIMAX], "cooldown_minutes": 10**400}, "cooldown_minutes", "at most"),
        ({"providers": [MINIMAX], "cooldown_minutes": "5"}, "cooldown_minutes", "number of minutes"),
    ],
)
def test_bad_input_is_told_with_file_key_and_reason(old: Any, key: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        import_failover(old, FILE)
    assert (caught.value.file, caught.value.key) == (FILE, key)
    assert reason in caught.value.reason
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "not valid JSON"),
        (b"\xff", "not UTF-8"),
        (b"1" * 5000, "not usable JSON"),
        (b"[" * 200_000, "not usable JSON"),
        (None, "no such file"),
    ],
)
def test_a_file_that_is_no_json(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "config.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=reason) as caught:
        read_json(file)
    assert caught.value.file == file


def test_a_file_that_begins_with_a_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps({"a": 1}).encode())
    assert read_json(file) == {"a": 1}


SECRET = "q7Zw-unlikely-9"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PROVIDERS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["minimax", "anthropic", "ollama", "name"])
        | st.text("aZ9é-_./ \"'\\#[]", max_size=6).map("b{}".format),
        "base_url": st.sampled_from(["https://api.minimax.io/anthropic", "http://127.0.0.1:1"])
        | st.text("aZ9é-_./\"'\\=[]😀", max_size=6).map("https://h.example/{}".format),
    },
    optional={
        "api_key_env": st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True) | st.none(),
        "api_key": st.just(SECRET),
        "extra": VALUES | st.just(SECRET),
        "a\x7f\n]": VALUES,
    },
)
OLD = st.fixed_dictionaries(
    {"providers": st.lists(PROVIDERS, min_size=1, max_size=4)},
    optional={
        "proxy_port": st.integers(0, 65535),
        "cooldown_minutes": st.integers(1, 500_000) | st.floats(0, 500_000, exclude_min=True),
        "other": VALUES,
    },
)


@given(OLD)
def test_what_is_written_always_loads(tmp_path_factory: pytest.TempPathFactory, old: dict[str, Any]) -> None:
    result = import_failover(old, FILE)
    file = tmp_path_factory.getbasetemp() / "imported.conf"
    file.write_text(result.text, encoding="utf-8")
    settings = load(str(file), {})
    [route] = settings.routes
    rows = old["providers"]
    assert len(set(route.to)) == len(rows)
    assert [settings.providers[name].base_url for name in route.to] == [
        messages_base_url(row["base_url"]) for row in rows
    ]
    assert settings.listen.port == old.get("proxy_port", 8082)
    if any("api_key" in row for row in rows):
        assert SECRET not in result.text + " ".join(result.warnings)
