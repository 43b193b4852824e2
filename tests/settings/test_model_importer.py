"""E8: the models.json of an older proxy becomes a mitm.conf in which its models are served under their names."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from turnout.errors import ConfigError
from turnout.settings.load import load
from turnout.settings.model_importer import import_models
from turnout.settings.old_config import Imported

FILE = Path("models.json")
GLM = {
    "id": "glm-4.6",
    "base_url": "https://api.z.ai/api/coding/paas/v4",
    "api_key": "hush-of-zai",
    "context_length": 200_000,
    "max_completion_tokens": 8192,
    "supports_reasoning": True,
    "owned_by": "zhipu-ai",
}
MINE = {"id": "me/big", "base_url": "https://llm.example/v1/chat/completions", "api_key": "hush-of-mine"}


def imported(*models: Any) -> Imported:
    return import_models({"_comment": "copy this", "custom_models": list(models)}, FILE)


def test_the_whole_of_it(tmp_path: Path) -> None:
    result = imported(
        GLM, GLM | {"id": "glm-5.3", "vision": True}, MINE, {"id": "free", "base_url": "http://localhost:1"}
    )
    assert tomllib.loads(result.text) == {
        "providers": {
            "zai-coding": {},
            "llm-example": {
                "kind": "openai",
                "base_url": "https://llm.example/v1",
                "credentials": ["env:LLM_EXAMPLE_API_KEY"],
            },
            "localhost": {"kind": "openai", "base_url": "http://localhost:1/v1"},
        },
        "models": {
            "glm-4.6": {
                "to": ["zai-coding/glm-4.6"],
                "context_length": 200_000,
                "max_completion_tokens": 8192,
                "supports_reasoning": True,
                "owned_by": "zhipu-ai",
            },
            "glm-5.3": {
                "to": ["zai-coding/glm-5.3"],
                "context_length": 200_000,
                "max_completion_tokens": 8192,
                "supports_reasoning": True,
                "owned_by": "zhipu-ai",
            },
            "me/big": {"to": ["llm-example/me/big"]},
            "free": {"to": ["localhost/free"]},
        },
    }
    assert result.variables == ("ZAI_API_KEY", "LLM_EXAMPLE_API_KEY")
    keys, left = result.warnings
    assert "ZAI_API_KEY=…, LLM_EXAMPLE_API_KEY=…" in keys and "not taken over" in left
    assert "# not taken over: custom_models.1.vision = true\n" in result.text
    assert "hush" not in result.text + keys
    (tmp_path / "mitm.conf").write_text(result.text, encoding="utf-8")
    assert load(str(tmp_path / "mitm.conf"), {}).models["me/big"].to == ("llm-example/me/big",)


def test_two_keys_are_two_providers_and_no_name_brings_the_key_of_a_preset() -> None:
    other = GLM | {"id": "glm-5", "api_key": "hush-of-another"}
    found = tomllib.loads(imported(GLM, other, MINE | {"base_url": "http://groq"}).text)
    assert list(found["providers"]) == ["zai-coding", "api-z-ai", "groq-2"]
    assert found["models"]["glm-5"]["to"] == ["api-z-ai/glm-5"]


@pytest.mark.parametrize(
    ("models", "key", "reason"),
    [
        ({}, "custom_models", "a list of at least one model"),
        ([], "custom_models", "a list of at least one model"),
        (["x"], "custom_models.0", "a JSON object is expected"),
        ([{"base_url": "http://x"}], "custom_models.0.id", "a value is missing"),
        ([MINE, {"id": "x"}], "custom_models.1.base_url", "a value is missing"),
        ([MINE | {"base_url": "ftp://me:hush@h"}], "custom_models.0.base_url", "ftp://***@h"),
        ([MINE | {"base_url": "https://x/v1/responses"}], "custom_models.0.base_url", "another endpoint"),
        ([MINE | {"api_key": 5}], "custom_models.0.api_key", "not a text"),
        ([MINE | {"context_length": True}], "custom_models.0.context_length", "not a number of tokens"),
        ([MINE | {"max_completion_tokens": 0}], "custom_models.0.max_completion_tokens", "not a number of tokens"),
        ([MINE | {"supports_reasoning": "yes"}], "custom_models.0.supports_reasoning", "neither true nor false"),
        ([MINE | {"owned_by": 1}], "custom_models.0.owned_by", "not a text"),
    ],
)
def test_bad_input_is_told_with_file_key_and_reason(models: Any, key: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        import_models({"custom_models": models}, FILE)
    assert (caught.value.file, caught.value.key) == (FILE, key)
    assert reason in caught.value.reason and "hush" not in str(caught.value)
