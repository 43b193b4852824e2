"""What one refusal teaches: one more rule for a `rewrite` table, small enough to keep, to show and to check."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, get_args

from turnout.dialects.messages.refusals.path import is_droppable
from turnout.redaction.text import redact
from turnout.settings.chat import Effort
from turnout.settings.rewriting import ThinkingType

LEAST_OUTPUT = 2048
MOST_OUTPUT = 10_000_000
"""Tokens; a limit for `max_tokens` outside of this range is what is left of a full context, or a mistake."""
LEAST_BUDGET = 1024
"""Tokens of thinking; less is no budget (https://docs.claude.com/en/docs/build-with-claude/extended-thinking)."""

_BETA = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TYPE = re.compile(r"[a-z][a-z0-9_]{1,63}")
_INDISPENSABLE = frozenset({"text", "tool_use", "tool_result", "custom", "function", "image"})
"""Types without which there is no conversation with tools; images have a rule of their own."""

_LISTS = frozenset({"drop", "drop_betas", "refused_blocks", "refused_tools"})
_COUNTS = {
    "max_tokens": (LEAST_OUTPUT, MOST_OUTPUT),
    "thinking_budget": (LEAST_BUDGET, MOST_OUTPUT),
    "least_thinking_budget": (LEAST_BUDGET, LEAST_OUTPUT * 16),
}
"""Rules whose values are numbers of tokens, with the least and the most that is believed."""
_OF_MODELS = frozenset({"images", "thinking", "thoughts", "tool_choice", "whole_answers", "chat"} | _COUNTS.keys())
THOUGHTS = ("in_turn", "with_calls", "always", "filled")
"""The values of the rule `thoughts`, each for a provider that wants more than the one before."""
_KEPT = frozenset({"adaptive", "enabled"})
_WORDS = {
    "system_role": frozenset({"user"}),
    "images": frozenset({"note"}),
    "thoughts": frozenset(THOUGHTS),
    "whole_answers": frozenset({"without_thinking"}),
    "tool_choice.any": frozenset({"without_thinking", "auto"}),
    "tool_choice.tool": frozenset({"without_thinking"}),
    "chat.output_limit": frozenset({"max_tokens", "max_completion_tokens"}),
    "chat.thinking_switch": frozenset({"none"}),
    "chat.parallel_switch": frozenset({"off"}),
    "chat.stream_usage": frozenset({"off"}),
    "chat.strict": frozenset({"absent"}),
    "chat.documents": frozenset({"text"}),
    "chat.schemas": frozenset({"plain"}),
    "chat.thoughts": frozenset({"none", "reasoning_content"}),
    **{f"thinking.{kind}": frozenset({"adaptive", "enabled", "disabled", "drop"}) for kind in get_args(ThinkingType)},
}


NO_EFFORT = "none at all"
"""Stands for no value of `reasoning_effort`: the field itself is refused."""
_REFUSED_FORMS = {
    ("output_limit", "max_completion_tokens"): "max_tokens",
    ("output_limit", "max_tokens"): "max_completion_tokens",
    ("efforts", NO_EFFORT): "reasoning_effort",
    ("efforts", ""): "that reasoning_effort",
    ("thinking_switch", ""): "a switch for thinking",
    ("parallel_switch", ""): "parallel_tool_calls",
    ("stream_usage", ""): "stream_options",
    ("strict", ""): "strict tools",
    ("documents", ""): "documents",
    ("schemas", ""): "a schema of a tool",
    ("thoughts", "none"): "thoughts of before",
    ("thoughts", "reasoning_content"): "thinking without the thoughts of before",
}


def _of_form(name: str, value: str) -> object:
    """The value of a field of `ChatForm`."""
    if name == "efforts":
        return [] if value == NO_EFFORT else value.split()
    return False if value == "off" else value


@dataclass(frozen=True, slots=True)
class Lesson:
    """A rule of `settings.rewriting.Rewrite` and its value.

    `drop` a path, `drop_betas` a beta, `refused_blocks` or `refused_tools` a type, `system_role` "user", `images`
    "note", `thinking.adaptive` "enabled" and so on, `thoughts` "with_calls", `max_tokens` a number; `chat.…` a field of
    `settings.chat.ChatForm`: its word, "off" for false, efforts with blanks between them.
    """

    rule: str
    value: str | int

    @property
    def is_list(self) -> bool:
        """Many of these stand side by side; of all other rules, a new value takes the place of the old one."""
        return self.rule in _LISTS

    @property
    def is_sound(self) -> bool:
        """A known rule with a value that can do no harm, wherever it was read."""
        value = self.value
        if self.rule in _COUNTS:
            least, most = _COUNTS[self.rule]
            return type(value) is int and least <= value <= most
        if not isinstance(value, str) or redact(value) != value:
            return False
        match self.rule:
            case "drop":
                return is_droppable(value)
            case "drop_betas":
                return _BETA.fullmatch(value) is not None
            case "refused_blocks" | "refused_tools":
                return _TYPE.fullmatch(value) is not None and value not in _INDISPENSABLE
            case "chat.efforts":
                return value == NO_EFFORT or set(value.split()) <= set(get_args(Effort))
        return value in _WORDS.get(self.rule, ())

    @property
    def table(self) -> dict[str, Any]:
        """The lesson as a `rewrite` table: {"drop": ["metadata"]}, {"thinking": {"adaptive": "enabled", "enabled":
        "keep"}}. The mode of thinking that takes the place of another is kept, so that two lessons swap no modes."""
        name, _, mode = self.rule.partition(".")
        if not mode:
            return {name: [self.value] if self.is_list else self.value}
        if name == "chat":
            return {name: {mode: _of_form(mode, str(self.value))}}
        kept = {self.value: "keep"} if self.value in _KEPT - {mode} else {}
        return {name: {mode: self.value, **kept}}

    @property
    def refused(self) -> str:
        """What the provider refused, in words that follow "refuses"."""
        name, _, mode = self.rule.partition(".")
        match name:
            case "drop":  # the same field of several places has one name
                return str(self.value).rpartition("[*].")[2]
            case "thinking":
                return f"{mode} thinking"
            case "chat":
                return _REFUSED_FORMS.get((mode, str(self.value)), _REFUSED_FORMS.get((mode, ""), mode))
            case "system_role":
                return "role system in messages"
            case "thoughts":
                return "thinking without the thoughts of before"
            case "tool_choice":
                return "a forced tool while it thinks"
            case "whole_answers":
                return "thinking without a stream"
            case "max_tokens" | "thinking_budget":
                return f"more than {self.value} {'max_tokens' if name == 'max_tokens' else 'budget_tokens'}"
            case "least_thinking_budget":
                return f"less than {self.value} budget_tokens"
            case "images":
                return "images"
            case "refused_blocks":
                return f"{self.value} blocks"
        return str(self.value)

    def line(self, model: str) -> str:
        """The line of TOML that makes it permanent, to be put under `[providers.NAME]`.

        What one model cannot do need not be true of the provider's others; what the provider does not know is.
        """
        rule, value = next(iter(self.table.items()))
        place = f"models.{json.dumps(model)}." if rule in _OF_MODELS else ""
        if not isinstance(value, dict):
            return f"rewrite.{place}{rule} = {json.dumps(value)}"
        modes = [f"{mode} = {json.dumps(made)}" for mode, made in value.items()]
        return f"rewrite.{place}{rule}" + (f".{modes[0]}" if len(modes) == 1 else f" = {{ {', '.join(modes)} }}")
