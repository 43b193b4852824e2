"""What vendors say of how a request thinks, word for word as they have been reported, and the rule each teaches."""

from __future__ import annotations

import pytest

from tests.wire.test_refusal import drops, read, taught

Taught = list[tuple[str, str | int]]

WITH_CALLS: Taught = [("thoughts", "with_calls")]
ONLY_ENABLED: Taught = [
    ("thinking.adaptive", "enabled"),
    ("thinking.disabled", "drop"),
    ("thinking.between_tools", "drop"),
]
ON_OR_OFF: Taught = [("thinking.adaptive", "enabled"), ("thinking.between_tools", "disabled")]
ALWAYS: Taught = [("thinking.disabled", "drop")]
FREELY: Taught = [("tool_choice.any", "without_thinking"), ("tool_choice.tool", "without_thinking")]
NO_EFFORT = drops("output_config.effort")
NO_REASONING = [*drops("thinking"), *NO_EFFORT]
WHOLE: Taught = [("whole_answers", "without_thinking")]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        # Thoughts that have to be there
        ("The `content[].thinking` in the thinking mode must be passed back to the API.", WITH_CALLS),
        ("The `reasoning_content` in the thinking mode must be passed back to the API.", WITH_CALLS),
        ("The reasoning_content in the thinking mode must be passed back to the API.", WITH_CALLS),
        ("Error from provider (Console Go): Upstream request failed: [invalid_request_error] The reasoning_content in"
         " the thinking mode must be passed back to the API.", WITH_CALLS),
        ("Missing thinking block in the assistant message at message index 11. For more information, please refer to"
         " https://api-docs.deepseek.com/guides/thinking_mode#tool-calls", WITH_CALLS),
        ("Missing `reasoning_content` field in the assistant message at message index 1.", WITH_CALLS),
        ("thinking is enabled but reasoning_content is missing in assistant tool call message at index 7", WITH_CALLS),
        ("messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking`"
         " is enabled, a final `assistant` message must start with a thinking block", [("thoughts", "in_turn")]),
        # One mode alone
        ("invalid thinking: only type=enabled is allowed for this model", ONLY_ENABLED),
        ("invalid thinking: only type=disabled is allowed for this model",
         [("thinking.adaptive", "disabled"), ("thinking.enabled", "disabled"), ("thinking.between_tools", "disabled")]),
        ("Only 'enabled' and 'disabled' are supported for thinking; 'adaptive' is not supported.", ON_OR_OFF),
        ("Validation: `thinking.type` must be `enabled` or `disabled`", ON_OR_OFF),
        ("Validation: thinking.type must be enabled or disabled", ON_OR_OFF),
        ("thinking.type should be one of [enabled, disabled]", ON_OR_OFF),
        ('invalid params, invalid thinking.type: "enabled" (allowed: adaptive, disabled) (2013)',
         [("thinking.enabled", "adaptive")]),
        ('invalid thinking.type: "disabled" (allowed: adaptive)', ALWAYS),
        ("thinking type 'adaptive' is not supported", [("thinking.adaptive", "enabled")]),
        ("thinking.type=disabled is not allowed for glm-5.3", ALWAYS),
        ("Reasoning is mandatory for this endpoint and cannot be disabled.", ALWAYS),
        ("Reasoning is mandatory for this model", ALWAYS),
        ("Thinking can't be disabled for this model.", ALWAYS),
        ("This model only supports thinking mode", ALWAYS),
        ("this model does not support disabling thinking", ALWAYS),
        # No thinking at all
        ('"llama3.1:8b" does not support thinking', drops("thinking")),
        ("The model does not support extended thinking.", drops("thinking")),
        ("Thinking is not supported for this model", drops("thinking")),
        ("reasoning not supported", NO_REASONING),
        ("Error: Reasoning is not supported by this model", NO_REASONING),
        ("model foo-1 does not support reasoning.", NO_REASONING),
        ("messages[2]: unknown variant `thinking`, expected `text` at line 1 column 900",
         [("refused_blocks", "thinking")]),
        # Only in a stream
        ("parameter.enable_thinking must be set to false for non-streaming calls", WHOLE),
        ("enable thinking can not be support when `stream=False`.", WHOLE),
        # Budgets
        ("<400> InternalError.Algo.InvalidParameter: The thinking_budget parameter must be a positive integer and not"
         " greater than 38912", [("thinking_budget", 38912)]),
        ("The thinking budget (52428) is invalid. Please choose a value between 512 and 24576.",
         [("thinking_budget", 24576)]),
        ("thinking.enabled.budget_tokens: Input should be less than or equal to 24576", [("thinking_budget", 24576)]),
        ("budget_tokens (31999) exceeds the maximum of 16,384", [("thinking_budget", 16384)]),
        ("budget_tokens should be in the range [1024, 32768]", [("thinking_budget", 32768)]),
        ("The thinking_budget parameter must be a positive integer and not greater than 0", drops("thinking")),
        ("thinking.budget_tokens must be at least 4096", [("least_thinking_budget", 4096)]),
        # A choice of tools
        ("Thinking may not be enabled when tool_choice forces tool use.", FREELY),
        ("Thinking mode does not support this tool_choice", FREELY),
        ("tool_choice 'specified' is incompatible with thinking enabled", FREELY),
        ("<400> InternalError.Algo.InvalidParameter: The tool_choice parameter does not support being set to required"
         " or object in thinking mode", FREELY),
        # Efforts
        ('level "max" not supported, valid levels: low, medium, high, xhigh', NO_EFFORT),
        ('think value "medium" is not supported for this model', NO_EFFORT),
        ("Invalid combination of reasoning_effort and thinking type: high + disabled", NO_EFFORT),
        ("Unsupported value: 'reasoning_effort' does not support 'xhigh' with this model.", NO_EFFORT),
    ],
)  # fmt: skip
def test_what_it_teaches(message: str, expected: Taught) -> None:
    assert taught(read(message)) == expected


@pytest.mark.parametrize(
    "message",
    [
        "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation",
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
        "thinking must be disabled when using this feature",
        "`clear_thinking_20251015` strategy requires `thinking` to be enabled or adaptive",
        "`temperature` may only be set to 1 when thinking is enabled",
        "interleaved thinking is not supported with this beta",
        "logging is only enabled and supported on paid plans",
        "'disabled' is not supported",
        "the conversation does not support thinking about this with the user",
    ],
)
def test_what_teaches_nothing(message: str) -> None:
    assert read(message) is None
