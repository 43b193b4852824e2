"""Lines of TOML that are to be pasted into a configuration."""

from __future__ import annotations

import tomllib

from turnout.settings.toml_lines import merged_rules


def test_merged_rules_say_the_same_as_the_single_ones() -> None:
    lines = merged_rules(
        [
            r'rewrite.models."a b\u007f\"é".thinking.adaptive = "enabled"',
            'rewrite.drop = ["a"]',
            r'rewrite.models."a b\u007f\"é".thinking.enabled = "drop"',
            'rewrite.drop = ["a"]',
            'rewrite.drop = ["b.c", "a"]',
            "rewrite.auto_cache = true",
            "rewrite.max_tokens = 2",
            "rewrite.max_tokens = 1",
        ]
    )
    assert tomllib.loads("\n".join(lines)) == {
        "rewrite": {
            "models": {'a b\x7f"é': {"thinking": {"adaptive": "enabled", "enabled": "drop"}}},
            "drop": ["a", "b.c"],
            "auto_cache": True,
            "max_tokens": 1,
        }
    }
    assert len(lines) == 5
