"""What vendors say of how a request thinks, word for word as they have been reported, and the rule each teaches."""

from __future__ import annotations

import pytest

from tests.dialects.messages.test_refusals import drops, read, taught

Taught = list[tuple[str, str | int]]

WITH_CALLS: Taught = [("thoughts", "with_calls")]
ONLY_ENABLED: Taught = [
    ("thinking.adaptive", "enabled"),
    ("thinking.disabled", "drop"),
    ("thinking.between_tools", "drop"),
]
ON_OR_OFF: Taught = [("thinking.adaptive", "enabled"), ("thinking.between_tools", "disabled")]
NO_THOUGHTS: Taught = [("refused_blocks", "thinking")]
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
        ("Reasoning content must be included in assistant messages with tool calls", WITH_CALLS),
        ("assistant message with tool_calls must contain reasoning_content when thinking is enabled", WITH_CALLS),
        ("messages[3]: assistant messages with tool_calls require reasoning_content in thinking mode", WITH_CALLS),
        ("Function call is missing a thought_signature in functionCall parts. This is required for tools to work"
         " correctly", WITH_CALLS),
        # Thoughts that must not be there
        ("'messages.2' : for 'role:assistant' the following must be satisfied[('messages.2' : property"
         " 'reasoning_content' is unsupported)]", NO_THOUGHTS),
        ("messages.2.assistant.reasoning_content: property 'messages.2.assistant.reasoning_content' is unsupported",
         NO_THOUGHTS),
        ("property 'reasoning' is unsupported, did you mean 'role'?", NO_THOUGHTS),
        ("messages[3].reasoning: reasoning is not supported with this model", NO_THOUGHTS),
        ("messages.3.content.0: thinking blocks are not supported", NO_THOUGHTS),
        ("reasoning_content is not allowed in input messages", NO_THOUGHTS),
        ("`reasoning_content` must not be included in the messages", NO_THOUGHTS),
        ("Unsupported content block type: thinking", NO_THOUGHTS),
        ("messages.1.content.0: unsupported content type 'thinking'", NO_THOUGHTS),
        ('content type "thinking" is not supported', NO_THOUGHTS),
        ("messages.1.content.0.type: Input should be 'text', 'image', 'tool_use' or 'tool_result'", NO_THOUGHTS),
        ("messages.1.assistant.reasoning_content: Extra inputs are not permitted", NO_THOUGHTS),
        ("messages.1.content.0.thinking: Extra inputs are not permitted", NO_THOUGHTS),
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
        ("Invalid value for thinking.type: must be one of ['enabled','disabled']", ON_OR_OFF),
        ("thinking type 'adaptive' is not supported", [("thinking.adaptive", "enabled")]),
        ("invalid thinking type: adaptive", [("thinking.adaptive", "enabled")]),
        ('unknown thinking type "adaptive"', [("thinking.adaptive", "enabled")]),
        ("Unsupported thinking type: disabled", ALWAYS),
        ("Disabling thinking is not supported for this model", ALWAYS),
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
        ("Thinking mode is incompatible with forced tool use", FREELY),
        ("tool_choice 'specified' is incompatible with thinking enabled", FREELY),
        ("<400> InternalError.Algo.InvalidParameter: The tool_choice parameter does not support being set to required"
         " or object in thinking mode", FREELY),
        # Efforts
        ('level "max" not supported, valid levels: low, medium, high, xhigh', NO_EFFORT),
        ('think value "medium" is not supported for this model', NO_EFFORT),
        ("Invalid combination of reasoning_effort and thinking type: high + disabled", NO_EFFORT),
        ("Unsupported value: 'reasoning_effort' does not support 'xhigh' with this model.", NO_EFFORT),
        ("Unsupported value: 'xhigh' is not supported with the 'gpt-5' model. Supported values are: 'minimal', 'low',"
         " 'medium', and 'high'.", NO_EFFORT),
        ("reasoning_effort: Input should be 'low', 'medium' or 'high'", NO_EFFORT),
        ("Invalid effort level: max. Valid levels are low, medium, high.", NO_EFFORT),
        ("effort must be one of low, medium, high", NO_EFFORT),
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
        "messages.1.content.0.thinking: each thinking block must contain non-whitespace thinking",
        "unsupported content type: application/json",
        "the assistant message requires thinking to be enabled",
        "invalid thinking configuration",
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
