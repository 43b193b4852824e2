"""Providers of kind openai: what they start from, and which preset a table of theirs means."""

from __future__ import annotations

from pathlib import Path

import pytest

from turnout.errors import ConfigError
from turnout.settings.load import OPENAI_SIDE, load, preset_of, presets
from turnout.settings.model import Provider

PROMISED = (
    *("openai", "groq", "cerebras", "gemini", "github", "xai", "mistral", "together", "nvidia", "sglang", "zai-coding"),
    *("zai-openai", "openrouter-openai", "deepseek-openai", "moonshot-openai", "minimax-openai", "qwen-openai"),
    *("fireworks-openai", "vercel-openai", "ollama-openai", "lmstudio-openai", "llamacpp-openai", "vllm-openai"),
)
LOCAL = ("ollama-openai", "lmstudio-openai", "llamacpp-openai", "vllm-openai", "sglang")


def provider(folder: Path, name: str, table: str = "") -> Provider:
    """As it is loaded from a file with this table, or from one that only routes to it."""
    file = folder / "mitm.conf"
    file.write_text(f"[providers.{name}]\n{table}" if table else f'[models.x]\nto = "{name}"', encoding="utf-8")
    return load(str(file), {}).providers[name]


def test_a_server_needs_its_kind_and_its_address(tmp_path: Path) -> None:
    mine = provider(tmp_path, "mine", 'kind = "openai"\nbase_url = "http://localhost:8000"')
    assert (mine.base_url, mine.auth, mine.count_tokens) == ("http://localhost:8000/v1", "bearer", "none")
    assert mine.rewrite.profile == "chat" and mine.learns and not mine.first_party
    assert provider(tmp_path, "mine", 'base_url = "http://localhost:8000"').auth == "x-api-key"


def test_azure_needs_a_query_and_a_header_of_its_own(tmp_path: Path) -> None:
    table = (
        'kind = "openai"\nbase_url = "https://me.openai.azure.com/openai/deployments/big/chat/completions"\n'
        'query = { api-version = "2024-10-21" }\nauth = "api-key"\ncredentials = "env:AZURE_OPENAI_API_KEY"'
    )
    azure = provider(tmp_path, "azure", table)
    assert azure.base_url == "https://me.openai.azure.com/openai/deployments/big"
    assert (azure.query, azure.auth) == ({"api-version": "2024-10-21"}, "api-key")


@pytest.mark.parametrize("name", PROMISED)
def test_the_promised_presets_speak_chat_completions(tmp_path: Path, name: str) -> None:
    found = provider(tmp_path, name)
    assert (found.kind, found.rewrite.profile, found.count_tokens) == ("openai", "chat", "none")
    assert found.base_url == presets()[name]["base_url"], "it stands there as it is asked"
    assert found.auth == ("none" if name in LOCAL else "bearer")
    assert found.timeouts.first_event == (600 if name in LOCAL else 120)


def test_presets_of_both_sides_are_named_alike() -> None:
    sides = [name for name in presets() if name.endswith(OPENAI_SIDE.format(""))]
    assert sides and {name.rpartition("-")[0] for name in sides} <= set(presets())
    assert set(PROMISED) == {name for name, table in presets().items() if table.get("kind") == "openai"}


def test_a_kind_chooses_the_side_of_a_vendor(tmp_path: Path) -> None:
    own = 'kind = "openai"\nmax_concurrent = 2\nrewrite.chat.thoughts = "none"'
    deepseek = provider(tmp_path, "deepseek", own)
    assert (deepseek.name, deepseek.base_url, deepseek.max_concurrent) == ("deepseek", "https://api.deepseek.com/v1", 2)
    assert deepseek.auth == "bearer" and [str(each) for each in deepseek.credentials] == ["env:DEEPSEEK_API_KEY"]
    form = deepseek.rewrite.chat
    assert (form.thinking_switch, form.thoughts) == ("thinking", "none")
    assert provider(tmp_path, "deepseek", 'kind = "anthropic"').base_url == "https://api.deepseek.com/anthropic"
    assert provider(tmp_path, "groq", 'kind = "openai"').base_url == "https://api.groq.com/openai/v1"


def test_a_table_of_another_kind_inherits_nothing(tmp_path: Path) -> None:
    """The address of the one dialect would be asked for the other."""
    mine = provider(tmp_path, "litellm", 'kind = "openai"\nbase_url = "http://127.0.0.1:4000"')
    assert (mine.base_url, mine.credentials, mine.headers) == ("http://127.0.0.1:4000/v1", (), ())
    groq = provider(tmp_path, "groq", 'kind = "anthropic"\nbase_url = "http://127.0.0.1:1"')
    assert (groq.credentials, groq.rewrite.profile, groq.auth) == ((), "safe", "x-api-key")
    assert preset_of("minimax", "opnai") == presets()["minimax"], "one mistake is told, not two"


def test_the_kind_may_come_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "mitm.conf"
    file.write_text('[models.x]\nto = "zai"', encoding="utf-8")
    found = load(str(file), {"TURNOUT_PROVIDERS__ZAI__KIND": "openai"}).providers["zai"]
    assert found.base_url == "https://api.z.ai/api/paas/v4"


def test_a_preset_may_extend_another(tmp_path: Path) -> None:
    coding, general, messages = (provider(tmp_path, name) for name in ("zai-coding", "zai-openai", "zai"))
    assert coding.base_url.endswith("/coding/paas/v4") and coding.rewrite == general.rewrite
    assert coding.error_codes == messages.error_codes and coding.context_lengths == messages.context_lengths
    assert not any("like" in table for table in presets().values())


def test_an_address_elsewhere_needs_its_kind(tmp_path: Path) -> None:
    """Before there were presets of Chat Completions, such a table was of kind anthropic."""
    table = 'base_url = "https://gateway.example/anthropic"'
    with pytest.raises(ConfigError) as caught:
        provider(tmp_path, "openai", table)
    assert caught.value.key == "providers.openai.kind" and 'kind = "anthropic"' in str(caught.value)
    assert provider(tmp_path, "openai", f'{table}\nkind = "anthropic"').kind == "anthropic"


@pytest.mark.parametrize(
    ("name", "base_url"),
    [
        ("openai", "https://api.openai.com/v1"),
        ("openai", "http://127.0.0.1:9/v1"),
        ("vllm-openai", "http://gpu.example:8000/v1"),
    ],
)
def test_elsewhere_is_neither_its_own_address_nor_this_machine(tmp_path: Path, name: str, base_url: str) -> None:
    assert provider(tmp_path, name, f'base_url = "{base_url}"').kind == "openai"


def test_a_mistake_speaks_of_what_was_written_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        provider(tmp_path, "mine", 'kind = "openai"\nbase_url = "http://localhost:8000/v1/responses"')
    assert caught.value.key == "providers.mine.base_url" and "auth" not in str(caught.value)
