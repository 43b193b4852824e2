"""Reading refusals: the wordings of validators and vendors, what is never learned, and garbage (A9, E5, E9)."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from turnout.dialects.error_body import MOST_BYTES, read_error_body
from turnout.dialects.messages import refusals
from turnout.dialects.messages.refusals import Lessons, Overflow, Refusal, SignatureRefused, of_history
from turnout.dialects.messages.refusals.lesson import Lesson
from turnout.dialects.messages.refusals.path import is_droppable
from turnout.settings.rewriting import EACH, MARKED, Rewrite, extended, parse_path


def read_refusal(status: int, body: bytes) -> Refusal | None:
    return refusals.read_refusal(status, read_error_body(body))


def read(message: str, status: int = 400) -> Refusal | None:
    """An error in Anthropic's envelope."""
    return read_refusal(
        status, encode({"type": "error", "error": {"type": "invalid_request_error", "message": message}})
    )


def encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def taught(refusal: Refusal | None) -> list[tuple[str, str | int]]:
    assert isinstance(refusal, Lessons), refusal
    return [(lesson.rule, lesson.value) for lesson in refusal.lessons]


def drops(*paths: str) -> list[tuple[str, str | int]]:
    return [("drop", path) for path in paths]


def marks(key: str) -> list[tuple[str, str | int]]:
    return drops(*(f"{place}.cache_control.{key}" for place in MARKED))


BLOCK = "messages[*].content[*]"
AXUM = "Failed to deserialize the JSON body into the target type: "
PYDANTIC_URL = "    For further information visit https://errors.pydantic.dev/2.10/v/extra_forbidden"


class TestFields:
    """Fields that a provider does not know."""

    @pytest.mark.parametrize(
        ("message", "expected"),
        [
            # Anthropic
            ("context_management: Extra inputs are not permitted", drops("context_management")),
            ("messages.1.system.output_config: Extra inputs are not permitted", drops("messages[*].output_config")),
            ("context_management.edits.0.clear_thinking_20251015.keep: Extra inputs are not permitted",
             drops("context_management")),
            ("messages.0.content.1.cache_control.ephemeral.scope: Extra inputs are not permitted", marks("scope")),
            ("system.2.cache_control.ephemeral.scope: Extra inputs are not permitted", marks("scope")),
            ("tools.11.custom.cache_control.ephemeral.ttl: Extra inputs are not permitted", marks("ttl")),
            ("messages.3.content.0.tool_result.content.1.text.cache_control.scope: Extra inputs are not permitted",
             marks("scope")),
            ("cache_control.evict_on_complete: Extra inputs are not permitted",
             drops("cache_control.evict_on_complete")),
            ("tools.0.custom.defer_loading: Extra inputs are not permitted", drops("tools[*].defer_loading")),
            ("tools.3.web_search_20250305.max_uses: Extra inputs are not permitted", drops("tools[*].max_uses")),
            ("messages.4.content.1.tool_use.caller: Extra inputs are not permitted", drops(f"{BLOCK}.caller")),
            ("messages.2.content.0.tool_result.content.1.text.citations: Extra inputs are not permitted",
             drops(f"{BLOCK}.content[*].citations")),
            ("thinking.adaptive.display: Extra inputs are not permitted", drops("thinking.display")),
            ("thinking.enabled.block_binding: Extra inputs are not permitted", drops("thinking.block_binding")),
            ("thinking: Extra inputs are not permitted", drops("thinking")),
            ("output_config.format.json_schema.strict: Extra inputs are not permitted", drops("output_config.format")),
            ("output_config.effort: Extra inputs are not permitted", drops("output_config.effort")),
            ("tool_choice.auto.disable_parallel_tool_use: Extra inputs are not permitted",
             drops("tool_choice.disable_parallel_tool_use")),
            ("tags: Extra inputs are not permitted, safeguards: Extra inputs are not permitted",
             drops("tags", "safeguards")),
            ("This model does not support the effort parameter", drops("output_config.effort")),
            ("`temperature` is deprecated for this model.", drops("temperature")),
            ("claude-3-5-haiku-20241022 does not support thinking.", drops("thinking")),
            # Behind the words of gateways
            ("litellm.BadRequestError: AnthropicException - tags: Extra inputs are not permitted", drops("tags")),
            ("Invalid request: thinking.display: Extra inputs are not permitted", drops("thinking.display")),
            ("<400> InternalError.Algo.InvalidParameter: metadata: Extra inputs are not permitted", drops("metadata")),
            # Fireworks
            ("Extra inputs are not permitted, field: 'tools[0].cache_control'", drops("tools[*].cache_control")),
            ("Extra inputs are not permitted, field: 'messages[0].content[1].cache_control.ttl'", marks("ttl")),
            # OpenAI
            ("Unknown parameter: 'context_management'.", drops("context_management")),
            ("Unknown parameter: 'messages[1].content[0].citations'.", drops(f"{BLOCK}.citations")),
            ("Unsupported parameter: 'temperature' is not supported with this model.", drops("temperature")),
            ("Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is"
             " supported.", drops("temperature")),
            ("Unrecognized request argument supplied: speed", drops("speed")),
            ("Unrecognized request arguments supplied: speed, tags", drops("speed", "tags")),
            ("top_k is not supported by this model", drops("top_k")),
            # Go
            ('json: unknown field "context_management"', drops("context_management")),
            ('json: unknown field "scope"', marks("scope")),
            ('json: unknown field "defer_loading"', drops("tools[*].defer_loading")),
            ('json: unknown field "display"', drops("thinking.display")),
            ('json: unknown field "effort"', drops("output_config.effort")),
            ('json: unknown field "caller"', drops(f"{BLOCK}.caller", f"{BLOCK}.content[*].caller")),
            # serde
            ("unknown field `metadata`, expected one of `model`, `messages`", drops("metadata")),
            ("unknown field `context_management` at line 1 column 2", drops("context_management")),
            (f"{AXUM}unknown field `speed`, expected one of `model`, `messages` at line 1 column 7", drops("speed")),
            (f"{AXUM}messages[0].content[1].cache_control: unknown field `scope`, expected `type`", marks("scope")),
            (f"{AXUM}messages[0].content[1].cache_control.scope: unknown field `scope`, expected `type`",
             marks("scope")),
            (f"{AXUM}thinking: unknown field `display`, expected `type` or `budget_tokens`", drops("thinking.display")),
            ("unknown field `tool_count`, expected one of `model`, `tools`, `function`", drops("tool_count")),
            # MiniMax
            ("invalid params, tools.0.strict: unknown field 'strict' (2013)", drops("tools[*].strict")),
            # zod
            ("Unrecognized key(s) in object: 'speed', 'tags'", drops("speed", "tags")),
            ('Unrecognized key: "speed"', drops("speed")),
            # AWS
            ("Malformed input request: #: extraneous key [tags] is not permitted, please reformat your input and try"
             " again.", drops("tags")),
            ("Malformed input request: #/thinking: extraneous key [display] is not permitted",
             drops("thinking.display")),
            ("Malformed input request: #: extraneous key [a] is not permitted#: extraneous key [b] is not permitted",
             drops("a", "b")),
            ("Malformed input request: #/messages/0/content/1: extraneous key [caller] is not permitted",
             drops(f"{BLOCK}.caller")),
            # Jackson
            ('Unrecognized field "speed", not marked as ignorable', drops("speed")),
            ('Unrecognized field "scope" (class a.CacheControl), not marked as ignorable (1 known property: "type"])\n'
             ' at [Source: line: 1, column: 9]', marks("scope")),
            ('Unrecognized field "note" (class a.Tool), not marked as ignorable (through reference chain: '
             'a.Request["tools"]->java.util.ArrayList[4]->a.Tool["note"])', drops("tools[*].note")),
            # Google
            ("Invalid JSON payload received. Unknown name \"speed\": Cannot find field.", drops("speed")),
            ("Unknown name \"strict\" at 'tools[0]': Cannot find field.", drops("tools[*].strict")),
        ],
    )  # fmt: skip
    def test_wordings(self, message: str, expected: list[tuple[str, str | int]]) -> None:
        assert taught(read(message)) == expected

    def test_pydantic_as_text(self) -> None:
        message = (
            "3 validation errors for MessagesRequest\n"
            "context_management\n"
            "  Extra inputs are not permitted [type=extra_forbidden, input_value={'edits': []}, input_type=dict]\n"
            f"{PYDANTIC_URL}\n"
            "messages.0.content.list[ContentBlock].1.TextBlock.cache_control.scope\n"
            "  Extra inputs are not permitted [type=extra_forbidden, input_value='global', input_type=str]\n"
            f"{PYDANTIC_URL}\n"
            "messages.1.role\n"
            "  Input should be 'user' or 'assistant' [type=literal_error, input_value='system', input_type=str]\n"
        )
        assert taught(read(message)) == [*drops("context_management"), *marks("scope"), ("system_role", "user")]

    def test_what_is_needed_in_a_list_of_errors(self) -> None:
        places: list[list[str | int]] = [["tools", 0, "type"], ["thinking", "budget_tokens"], ["thinking", "type"]]
        detail = [{"type": "extra_forbidden", "loc": ["body", *place], "msg": "Extra inputs"} for place in places]
        assert read_refusal(422, encode({"detail": detail})) is None

    def test_pydantic_through_fastapi(self) -> None:
        detail = [
            {"type": "extra_forbidden", "loc": ["body", "metadata"], "msg": "Extra inputs are not permitted"},
            {
                "type": "extra_forbidden",
                "loc": ["body", "messages", 0, "content", "list[Block]", 1, "text", "citations"],
                "msg": "Extra inputs are not permitted",
                "input": "prompt is too long",
            },
        ]
        assert taught(read_refusal(422, encode({"detail": detail}))) == drops("metadata", f"{BLOCK}.citations")
        assert taught(read_refusal(400, encode({"errors": detail[:1]}))) == drops("metadata")

    def test_pydantic_written_by_python(self) -> None:
        """vLLM. What the list quotes of the request is no refusal."""
        item: dict[str, Any] = {
            "type": "extra_forbidden",
            "loc": ("body", "messages", 0, "content", 1, "cache_control", "scope"),
            "msg": "Extra inputs are not permitted",
            "input": {"text": "the maximum context length was reached"},
        }
        body = {"object": "error", "message": str([item]), "type": "BadRequestError", "code": 400}
        assert taught(read_refusal(400, encode(body))) == marks("scope")

    @pytest.mark.parametrize("text", ["Nope", "Unknown parameter: 'speed'."])
    def test_parameter_named_beside_the_text(self, text: str) -> None:
        error = {"message": text, "type": "invalid_request_error", "param": "speed", "code": "unknown_parameter"}
        assert taught(read_refusal(400, encode({"error": error}))) == drops("speed")

    def test_a_parameter_that_is_only_wrong_is_kept(self) -> None:
        error = {"message": "No.", "type": "invalid_request_error", "param": "speed", "code": "invalid_value"}
        assert read_refusal(400, encode({"error": error})) is None


class TestEnvelopes:
    """The same refusal wherever vendors put it."""

    TEXT = "tags: Extra inputs are not permitted"

    @pytest.mark.parametrize(
        "body",
        [
            {"type": "error", "error": {"type": "invalid_request_error", "message": TEXT}},
            {"error": TEXT},
            {"message": TEXT},
            {"msg": TEXT, "code": 400},
            {"Message": TEXT},
            {"detail": TEXT},
            {"detail": {"error": {"message": TEXT}}},
            {"base_resp": {"status_code": 2013, "status_msg": TEXT}},
            [{"error": {"code": 400, "message": TEXT, "status": "INVALID_ARGUMENT"}}],
            {
                "error": {
                    "message": "Provider returned error",
                    "metadata": {"raw": '{"error":{"message":"' + TEXT + '"}}'},
                }
            },
            {"error": {"message": 'litellm.BadRequestError: x - {"error":{"message":"' + TEXT + '"}} model group y'}},
        ],
    )
    def test_envelope(self, body: object) -> None:
        assert taught(read_refusal(400, encode(body))) == drops("tags")

    def test_plain_text(self) -> None:
        assert taught(read_refusal(422, self.TEXT.encode())) == drops("tags")

    def test_a_web_page_says_nothing(self) -> None:
        assert read_refusal(400, f"<html>{self.TEXT}</html>".encode()) is None

    @pytest.mark.parametrize("status", [200, 401, 403, 404, 429, 500, 529])
    def test_other_statuses_refuse_no_field(self, status: int) -> None:
        assert read(self.TEXT, status) is None

    def test_long_bodies_are_not_read(self) -> None:
        text = f"{self.TEXT} ".encode()
        assert isinstance(read_refusal(400, text.ljust(MOST_BYTES, b".")), Lessons)
        assert read_refusal(400, text.ljust(MOST_BYTES + 1, b".")) is None

    def test_at_most_sixteen(self) -> None:
        message = ", ".join(f"field_{number}: Extra inputs are not permitted" for number in range(40))
        assert len(taught(read(message))) == 16


class TestValues:
    """Betas, modes of thinking, roles, types and limits that a provider does not know."""

    @pytest.mark.parametrize(
        ("message", "expected"),
        [
            ("Unexpected value(s) `effort-2025-11-24`, `context-management-2025-06-27` for the `anthropic-beta` header."
             " Please consult our documentation",
             [("drop_betas", "effort-2025-11-24"), ("drop_betas", "context-management-2025-06-27")]),
            # Thinking
            ('"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and'
             ' "output_config.effort" to control thinking behavior.', [("thinking.enabled", "adaptive")]),
            ("adaptive thinking is not supported on this model", [("thinking.adaptive", "enabled")]),
            ('"thinking.type.disabled" is not supported for this model.', [("thinking.disabled", "drop")]),
            ("thinking: Input tag 'adaptive' found using 'type' does not match any of the expected tags: 'disabled',"
             " 'enabled'", [("thinking.adaptive", "enabled")]),
            ("thinking: Input tag 'between_tools' found using 'type' does not match any of the expected tags:"
             " 'disabled', 'enabled'", [("thinking.between_tools", "disabled")]),
            ("thinking.type: Input should be 'enabled' or 'disabled'", [("thinking.adaptive", "enabled")]),
            ("thinking.type: Input should be 'enabled' or 'disabled' (got 'adaptive')",
             [("thinking.adaptive", "enabled")]),
            ("thinking.type: Input should be 'adaptive' or 'disabled', but got 'enabled'",
             [("thinking.enabled", "adaptive")]),
            ("thinking.type: unsupported value 'adaptive'", [("thinking.adaptive", "enabled")]),
            ("thinking.type: Invalid value: 'enabled'", [("thinking.enabled", "adaptive")]),
            (f"{AXUM}thinking.type: unknown variant `adaptive`, expected `enabled` or `disabled` at line 1 column 9",
             [("thinking.adaptive", "enabled")]),
            # Effort
            ("output_config.effort: Input should be 'low', 'medium' or 'high'", drops("output_config.effort")),
            ("unknown variant `xhigh`, expected one of `low`, `medium`, `high`", drops("output_config.effort")),
            # The system role
            ("messages.0.role: Input should be 'user' or 'assistant'", [("system_role", "user")]),
            ('messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system"'
             ' as an input message role.', [("system_role", "user")]),
            (f"{AXUM}messages[4].role: unknown variant `system`, expected `user` or `assistant` at line 1 column 1760",
             [("system_role", "user")]),
            ("unknown variant `system`, expected `user` or `assistant`", [("system_role", "user")]),
            ("messages.2.role: Invalid enum value. Expected 'user' | 'assistant', received 'system'",
             [("system_role", "user")]),
            ("Invalid value: 'system'. Supported values are: 'user' and 'assistant'.", [("system_role", "user")]),
            ("Invalid role: system", [("system_role", "user")]),
            ("messages.2.role: Input should be 'user' or 'assistant' (got 'system')", [("system_role", "user")]),
            # Types of content
            (f"{AXUM}messages[2].content: unknown variant `search_result`, expected one of `text`, `image` at line 1",
             [("refused_blocks", "search_result")]),
            ("messages[4].content: unknown variant tool_reference, expected text at line 1 column 42187",
             [("refused_blocks", "tool_reference")]),
            (f"{AXUM}messages[4]: unknown variant `image`, expected `text` at line 1", [("images", "note")]),
            ("messages.1.content.0: Input tag 'search_result' found using 'type' does not match any of the expected"
             " tags: 'image', 'text', 'tool_use'", [("refused_blocks", "search_result")]),
            ("messages.3.content.0.tool_result.content.0: Input tag 'document' found using 'type' does not match any of"
             " the expected tags: 'text', 'image'", [("refused_blocks", "document")]),
            # Types of tools
            ("tools.0: Input tag 'web_search_20250305' found using 'type' does not match any of the expected tags:"
             " 'custom'", [("refused_tools", "web_search_20250305")]),
            (f"{AXUM}tools[3].type: unknown variant `code_execution_20260521`, expected `custom`",
             [("refused_tools", "code_execution_20260521")]),
            ("unknown variant `web_search_20250305`, expected `function`", [("refused_tools", "web_search_20250305")]),
            # The length of the answer
            ("max_tokens: 64000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-haiku",
             [("max_tokens", 8192)]),
            ("max_tokens is too large: 64000. This model supports at most 16384 completion tokens, whereas you provided"
             " 64000.", [("max_tokens", 16384)]),
            ("max_tokens (64000) exceeds the maximum of 8192", [("max_tokens", 8192)]),
            ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", [("max_tokens", 8192)]),
            ("<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]",
             [("max_tokens", 8192)]),
            ("max_tokens: Input should be less than or equal to 32768", [("max_tokens", 32768)]),
            ("`max_tokens` must be less than or equal to `32768`, the maximum value for `max_tokens` is less than the"
             " `context_window` for this model", [("max_tokens", 32768)]),
            ("The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum tokens value"
             " that is lower than 4096.", [("max_tokens", 4096)]),
            # Anthropic's gateway
            ("capability_rejected: mid_conv_system", [("system_role", "user")]),
            ("capability_rejected: thinking_type:adaptive", [("thinking.adaptive", "enabled")]),
            ("capability_rejected: effort_unsupported", drops("output_config.effort")),
            ("capability_rejected: structured_outputs_unsupported", drops("output_config.format", "output_format")),
            ("capability_rejected: cache_control_field",
             [*marks("scope"), *drops("cache_control.evict_on_complete")]),
            ("capability_rejected: beta_header:effort-2025-11-24", [("drop_betas", "effort-2025-11-24")]),
        ],
    )  # fmt: skip
    def test_wordings(self, message: str, expected: list[tuple[str, str | int]]) -> None:
        assert taught(read(message)) == expected

    def test_type_of_a_block_in_pydantic_words(self) -> None:
        item = {
            "type": "literal_error",
            "loc": ["body", "messages", 0, "content", "list[Block]", 2, "type"],
            "msg": "Input should be 'text', 'image' or 'tool_use'",
            "input": "search_result",
        }
        assert taught(read_refusal(400, encode({"detail": [item]}))) == [("refused_blocks", "search_result")]


class TestUnsure:
    """No refusal is better than an unsure one, and nothing indispensable is ever left out."""

    @pytest.mark.parametrize(
        "message",
        [
            "model: Extra inputs are not permitted",
            "system: Extra inputs are not permitted",
            "stream: Extra inputs are not permitted",
            "messages.65.content.1.tool_use.text: Extra inputs are not permitted",
            "messages.1.content.0.thinking.signature: Extra inputs are not permitted",
            "messages.1.content.0.tool_use.input.path: Extra inputs are not permitted",
            "messages.1.content.0.search_result: Extra inputs are not permitted",
            "messages.1.content: Extra inputs are not permitted",
            "tools.0.custom.name: Extra inputs are not permitted",
            "tools.0.custom.input_schema.properties.speed: Extra inputs are not permitted",
            "system.0.cache_control.ephemeral.type: Extra inputs are not permitted",
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'.",
            'json: unknown field "messages"',
            'json: unknown field "name"',
            "unknown field `text`, expected `content`",
            "input[0].content: unknown field `speed`",
            "unknown variant `developer`, expected `user` or `assistant`",
            "unknown variant `text`, expected one of `text`, `image`",
            "unknown variant `tool_use`, expected one of `text`, `image`",
            "unknown variant `blue`, expected one of `red`, `green`",
            "messages.0.role: Input should be 'user', 'assistant' or 'system'",
            "data did not match any variant of untagged enum Content at line 1 column 2",
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
            "max_tokens: 64000 > 3, which is the maximum allowed number of output tokens for x",
            "max_tokens must be greater than thinking.budget_tokens",
            # What is left of the context for one answer
            "max_tokens must be at most 300",
            "max_tokens must be at most 30000, the remaining tokens",
            "max_tokens must be at most 30000: the context holds 32768 tokens",
            "max_tokens must be less than or equal to 30000 with a prompt of 2000 tokens",
            "Your input has 2000 tokens, so max_tokens must be at most 30000",
            "max_tokens (64000) exceeds the maximum of 30000 (context 32768 - input_tokens 2768)",
            # Needed
            "tools.0.type: Extra inputs are not permitted",
            "tools.0.custom.type: Extra inputs are not permitted",
            "thinking.budget_tokens: Extra inputs are not permitted",
            "thinking.enabled.budget_tokens: Extra inputs are not permitted",
            "thinking.type: Extra inputs are not permitted",
            'json: unknown field "budget_tokens"',
            "tools.0: unknown field `type`",
            # A field of a tool's schema, or of what a model gave the tool
            "Tool Bash: Unrecognized keys: 'format'",
            "Invalid schema for tool 'x': unknown field \"format\"",
            "Invalid arguments for 'x': unknown field `effort`",
            "function x: json: unknown field \"strict\"",
            "Unrecognized field \"format\" (class a.ToolDefinition), not marked as ignorable",
            # Unsure
            "thinking.type: Input should be 'enabled' or 'disabled' (got 'other')",
            "thinking.type: unsupported value 'other'",
            "messages.0.role: Input should be 'user' or 'assistant' (got 'developer')",
            "Invalid request",
            "messages: roles must alternate between \"user\" and \"assistant\"",
            "temperature: range: 0..1",
            "Unexpected value(s) `*` for the `anthropic-beta` header",
            "capability_rejected: media_budget",
            "capability_rejected: image_block",
            "invalid tool_result content (2013)",
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        ],
    )  # fmt: skip
    def test_none(self, message: str) -> None:
        assert read(message) is None


class TestSignatures:
    @pytest.mark.parametrize(
        "message",
        [
            "messages.1.content.0: Invalid `signature` in `thinking` block",
            "messages.1.content.0: Invalid `data` in `redacted_thinking` block",
            "messages.1.content.0.thinking.signature: Field required",
            "messages.1.content.0.signature: Field required",
            "Thinking signature verification failed",
            "Thought signature is not valid.",  # Google
            "Corrupted thought signature.",
            "capability_rejected: thinking_signature",
        ],
    )
    def test_wordings(self, message: str) -> None:
        assert read(message) == SignatureRefused()

    @pytest.mark.parametrize(
        "message",
        [
            "messages.3.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be"
            " modified. These blocks must remain as they were in the original response.",
            "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different"
            " conversation. Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to"
            ' "drop_block".',
        ],
    )
    def test_of_another_conversation(self, message: str) -> None:
        assert read(message) == SignatureRefused(bound=True)

    def test_what_is_about_earlier_answers(self) -> None:
        missing = Lesson("thoughts", "in_turn")
        assert of_history(SignatureRefused()) == SignatureRefused()
        assert of_history(Lessons((missing, Lesson("drop", "metadata")))) == Lessons((missing,))
        assert of_history(Lessons((Lesson("drop", "metadata"),))) is None and of_history(Overflow()) is None

    def test_a_missing_signature_in_a_list_of_errors(self) -> None:
        item = {"type": "missing", "loc": ["body", "messages", 1, "content", 0, "signature"], "msg": "Field required"}
        assert read_refusal(422, encode({"detail": [item]})) == SignatureRefused()


class TestOverflow:
    @pytest.mark.parametrize(
        ("message", "expected"),
        [
            ("prompt is too long: 210000 tokens > 200000 maximum", Overflow(210_000, 200_000)),
            ("prompt is too long", Overflow()),
            ("input length and `max_tokens` exceed context limit: 180000 + 64000 > 200000, decrease input length or"
             " `max_tokens` and try again", Overflow(244_000, 200_000, 64_000)),
            ("This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (8000 in the"
             " messages, 1000 in the completion). Please reduce the length of the messages or completion.",
             Overflow(9000, 8192, 1000)),
            ("This model's maximum context length is 131072 tokens. However, your messages resulted in 140000 tokens.",
             Overflow(140_000, 131_072)),
            ("'max_tokens' or 'max_completion_tokens' is too large: 64000. This model's maximum context length is 32768"
             " tokens and your request has 1000 input tokens (64000 > 32768 - 1000).",
             Overflow(65_000, 32_768, 64_000)),
            ("'max_tokens' or 'max_completion_tokens' is too large: 64000. This model's maximum context length is 32768"
             " tokens and your request has 20 input tokens (64000 > 32768 - 20). None",
             Overflow(64_020, 32_768, 64_000)),
            ("This model's maximum context length is 32768 tokens. However, you requested 64000 output tokens and your"
             " prompt contains at least 20 input tokens, for a total of at least 64020 tokens.",
             Overflow(64_020, 32_768, 64_000)),
            ("This model's maximum context length is 32768 tokens. However, you requested 64020 tokens (20 in your"
             " prompt; 64000 for the completion).", Overflow(64_020, 32_768, 64_000)),
            ("This endpoint's maximum context length is 32768 tokens. However, you requested about 64020 tokens (20 of"
             " text input, 64000 in the output). Please reduce the length of either one, or use the \"middle-out\""
             " transform.", Overflow(64_020, 32_768, 64_000)),
            ("This endpoint's maximum context length is 32768 tokens. However, you requested about 64030 tokens (20 of"
             " text input, 10 of tool input, 64000 in the output).", Overflow(64_030, 32_768, 64_000)),
            ("This model's maximum context length is 32768 tokens. However, you requested 20 tokens (20 in the"
             " messages, 64000 in the completion).", Overflow(20, 32_768)),
            # Errors inside of errors have quotation marks, too
            ("Error code: 400 - {'error': {'message': 'prompt is too long: 5 tokens > 3 maximum', 'code': None}}",
             Overflow(5, 3)),
            ("Error code: 400 - {'error': {'message': \"This model's maximum context length is 3 tokens.\"}}",
             Overflow(None, 3)),
            ("BadRequestError('prompt is too long: 5 tokens > 3 maximum')", Overflow(5, 3)),
            ("The input 'tell me a story' and the system prompt exceed: prompt is too long: 5 tokens > 3 maximum",
             Overflow(5, 3)),
            ("Users' input: prompt is too long, don't send more than the model's limit", Overflow()),
            ("This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
             Overflow(537_812, 131_072)),
            ("Invalid request: Your request exceeded model token limit: 131072 (requested: 200000)",
             Overflow(200_000, 131_072)),
            ("Your request exceeded model token limit : 262144", Overflow(None, 262_144)),
            ("<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]",
             Overflow(None, 129_024)),
            ("the request exceeds the available context size, try increasing it", Overflow()),
            ("request (12345 tokens) exceeds the available context size (8192 tokens), try increasing it",
             Overflow(12_345, 8192)),
            ("The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
             Overflow(1_048_577, 1_048_576)),
            ("Input is too long for requested model.", Overflow()),
            ("Input is too long.", Overflow()),
            ("Your input exceeds the context window of this model.", Overflow()),
            ("litellm.ContextWindowExceededError: x", Overflow()),
            ("The decoder prompt is longer than the maximum model length of 4096", Overflow()),
            ("Prompt exceeds max length", Overflow()),
            ("Please reduce the length of the messages.", Overflow()),
            ("invalid params, context window exceeds limit (2013)", Overflow()),
            ("The request size (31.2MB) exceeds 30.000MB", Overflow()),
            ("capability_rejected: prompt_too_long", Overflow()),
            ("capability_rejected: max_tokens_context_overflow", Overflow()),
        ],
    )  # fmt: skip
    def test_wordings(self, message: str, expected: Overflow) -> None:
        assert read(message) == expected

    @pytest.mark.parametrize("status", [400, 413, 422, 404, 500, 503])
    def test_any_error_status(self, status: int) -> None:
        assert read("prompt is too long: 2 tokens > 1 maximum", status) == Overflow(2, 1)

    def test_code_of_openai(self) -> None:
        error = {"message": "Too much.", "type": "invalid_request_error", "code": "context_length_exceeded"}
        assert read_refusal(400, encode({"error": error})) == Overflow()

    def test_counts_of_llamacpp(self) -> None:
        error = {"code": 400, "message": "too long", "type": "exceed_context_size_error"}
        body = encode({"error": {**error, "n_prompt_tokens": 9000, "n_ctx": 8192}})
        assert read_refusal(400, body) == Overflow(9000, 8192)

    def test_a_413_that_names_the_context(self) -> None:
        message = "The request does not fit the context window"
        assert read(message, 413) == Overflow()
        assert read(message, 400) is None
        assert read("Request exceeds the maximum size", 413) is None

    @pytest.mark.parametrize(
        "message",
        [
            "Input is too long. Please shorten your search.",
            "Request too large on tokens per minute (TPM): Limit 6000, please reduce the length of the messages",
            "x" * 2000 + " prompt is too long",
            # What a user wrote
            "Content policy: the input 'explain maximum context length to me' was flagged",
            'Content policy: the input "what\'s the maximum context length?" was flagged',
            "Content policy: the input “explain maximum context length to me” was flagged",
            "Content policy: the input 'explain maximum context length" + " to me" * 200 + "' was flagged",
            "Content policy: the input 'explain maximum context length" + " to me" * 2000 + "' was flagged",
            'Content policy: the input "explain maximum context length' + " to me" * 2000 + '" was flagged',
            "Content policy: the input `prompt is too long` was flagged",
            "messages.2.content.0.text: Invalid text: 'the error was prompt is too long: 5 tokens > 3 maximum'",
            "Error code: 400 - {'error': {'message': \"the input 'explain maximum context length' was flagged\"}}",
            "Invalid text: 'it\'s that the model's prompt is too long'",
        ],
    )
    def test_what_is_none(self, message: str) -> None:
        assert read(message) is None


    @pytest.mark.parametrize(
        ("overflow", "prompt"),
        [(Overflow(64_020, 32_768, 64_000), 20), (Overflow(9, 8), 9), (Overflow(), None), (Overflow(None, 8, 3), None)],
    )
    def test_prompt(self, overflow: Overflow, prompt: int | None) -> None:
        assert overflow.prompt == prompt


class TestLesson:
    @pytest.mark.parametrize(
        ("lesson", "table", "line"),
        [
            (Lesson("drop", "context_management"), {"drop": ["context_management"]},
             'rewrite.drop = ["context_management"]'),
            (Lesson("drop_betas", "effort-2025-11-24"), {"drop_betas": ["effort-2025-11-24"]},
             'rewrite.drop_betas = ["effort-2025-11-24"]'),
            (Lesson("thinking.adaptive", "enabled"), {"thinking": {"adaptive": "enabled", "enabled": "keep"}},
             'rewrite.models."m".thinking = { adaptive = "enabled", enabled = "keep" }'),
            (Lesson("thinking.enabled", "adaptive"), {"thinking": {"enabled": "adaptive", "adaptive": "keep"}},
             'rewrite.models."m".thinking = { enabled = "adaptive", adaptive = "keep" }'),
            (Lesson("thinking.adaptive", "disabled"), {"thinking": {"adaptive": "disabled"}},
             'rewrite.models."m".thinking.adaptive = "disabled"'),
            (Lesson("thinking.adaptive", "drop"), {"thinking": {"adaptive": "drop"}},
             'rewrite.models."m".thinking.adaptive = "drop"'),
            (Lesson("max_tokens", 8192), {"max_tokens": 8192}, 'rewrite.models."m".max_tokens = 8192'),
            (Lesson("system_role", "user"), {"system_role": "user"}, 'rewrite.system_role = "user"'),
            (Lesson("images", "note"), {"images": "note"}, 'rewrite.models."m".images = "note"'),
            (Lesson("refused_blocks", "search_result"), {"refused_blocks": ["search_result"]},
             'rewrite.refused_blocks = ["search_result"]'),
            (Lesson("refused_tools", "web_search_20250305"), {"refused_tools": ["web_search_20250305"]},
             'rewrite.refused_tools = ["web_search_20250305"]'),
        ],
    )  # fmt: skip
    def test_table_and_line_say_the_same(self, lesson: Lesson, table: dict[str, Any], line: str) -> None:
        assert lesson.is_sound
        assert lesson.table == table
        assert lesson.line("m") == line
        assert said_by(line, "m") == table
        Rewrite.model_validate(extended({"drop": ["metadata"], "thinking": {"enabled": "keep"}}, lesson.table))

    @pytest.mark.parametrize(
        "lesson",
        [
            Lesson("drop", "messages"),
            Lesson("drop", "messages[*]"),
            Lesson("drop", "messages[*].content"),
            Lesson("drop", "tools[*].input_schema.properties"),
            Lesson("drop", "model.x"),
            Lesson("drop", 'a"\nb'),
            Lesson("drop", "a" * 201),
            Lesson("drop", 7),
            Lesson("drop_betas", "*"),
            Lesson("drop_betas", ""),
            Lesson("drop_betas", 'a"'),
            Lesson("max_tokens", "8192"),
            Lesson("max_tokens", True),
            Lesson("max_tokens", 0),
            Lesson("max_tokens", 2047),
            Lesson("max_tokens", 10**9),
            Lesson("drop", "tools[*].type"),
            Lesson("drop", "thinking.type"),
            Lesson("drop", "thinking.budget_tokens"),
            Lesson("drop_betas", "sk-ant-api03-abcdefgh"),
            Lesson("drop_betas", "AKIAABCDEFGHIJKLMNOP"),
            Lesson("drop", "AKIAABCDEFGHIJKLMNOP"),
            Lesson("system_role", "hoist"),
            Lesson("thinking.adaptive", "keep"),
            Lesson("thinking.other", "drop"),
            Lesson("refused_blocks", "text"),
            Lesson("refused_tools", "custom"),
            Lesson("refused_tools", "*"),
            Lesson("set", "x"),
            Lesson("prepend_system", "x"),
        ],
    )
    def test_unsound(self, lesson: Lesson) -> None:
        assert not lesson.is_sound

    def test_two_lessons_swap_no_modes(self) -> None:
        """The later one has the last word; no request is sent with a mode that it has just lost."""
        first, second = Lesson("thinking.adaptive", "enabled"), Lesson("thinking.enabled", "adaptive")
        rules = Rewrite.model_validate(extended(first.table, second.table))
        assert rules.thinking == {"adaptive": "keep", "enabled": "adaptive"}

    @pytest.mark.parametrize(
        ("lesson", "refused"),
        [
            (Lesson("drop", "context_management"), "context_management"),
            (Lesson("drop", "thinking.display"), "thinking.display"),
            (Lesson("drop", "messages[*].content[*].cache_control.scope"), "cache_control.scope"),
            (Lesson("drop", "tools[*].strict"), "strict"),
            (Lesson("drop_betas", "effort-2025-11-24"), "effort-2025-11-24"),
            (Lesson("system_role", "user"), "role system in messages"),
            (Lesson("thinking.adaptive", "enabled"), "adaptive thinking"),
            (Lesson("max_tokens", 8192), "more than 8192 max_tokens"),
            (Lesson("images", "note"), "images"),
            (Lesson("refused_blocks", "search_result"), "search_result blocks"),
            (Lesson("refused_tools", "web_search_20250305"), "web_search_20250305"),
        ],
    )
    def test_refused(self, lesson: Lesson, refused: str) -> None:
        assert lesson.refused == refused

    def test_all_that_is_refused(self) -> None:
        refusal = read("system.2.cache_control.scope: Extra inputs are not permitted, tags: Extra inputs are not"
                       " permitted, adaptive thinking is not supported on this model")  # fmt: skip
        assert isinstance(refusal, Lessons)
        assert len(refusal.lessons) > 3
        assert refusal.refused == "cache_control.scope, tags, adaptive thinking"


# --- garbage ---

_WORDS = st.sampled_from(
    ["messages", "0", "content", "tools", "system", "cache_control", "ephemeral", "scope", "thinking", "type", "text"]
    + ["name", "input", "input_schema", "role", "model", "max_tokens", "tool_result", "custom", "x", "body", "list[A]"]
)
_PLACES = st.lists(_WORDS, min_size=1, max_size=8)
_WORDINGS = st.sampled_from(
    [
        "{}: Extra inputs are not permitted",
        "Unknown parameter: '{}'",
        "{}: unknown field `{}`",
        'json: unknown field "{}"',
        "#/{}: extraneous key [{}] is not permitted",
        'Unrecognized field "{}"',
        "Unrecognized key: '{}'",
        "`{}` is deprecated for this model",
        "{}: Input tag '{}' found using 'type' does not match any of the expected tags: 'text'",
        "{}: unknown variant `{}`, expected one of `text`, `custom`",
        "{}: Input should be 'user' or 'assistant'",
    ]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "detail", "loc", "msg", "type", "code", "param", "base_resp", "n_ctx"]
            ),
            inner,
        )
    ),
    max_leaves=20,
)


def said_by(line: str, model: str) -> dict[str, Any]:
    """The rules that a suggested line sets for a model."""
    rules: dict[str, Any] = tomllib.loads(line)["rewrite"]
    found: dict[str, Any] = rules["models"][model] if "models" in rules else rules
    return found


def check(refusal: Refusal | None) -> None:
    if isinstance(refusal, Lessons):
        assert 0 < len(refusal.lessons) <= 16
        for lesson in refusal.lessons:
            assert lesson.is_sound
            assert said_by(lesson.line('a "b" [1m]'), 'a "b" [1m]') == lesson.table
            Rewrite.model_validate(lesson.table)
            if lesson.rule == "drop":
                check_path(str(lesson.value))


def check_path(path: str) -> None:
    """Written again from the brief, not from the code: nothing that a request needs is named."""
    steps = parse_path(path)
    keys = [step for step in steps if step != EACH]
    assert steps[-1] != EACH
    assert len(keys) > 1 or keys[0] not in {"model", "messages", "max_tokens", "system", "tools", "stream"}
    if keys[0] in {"messages", "system"}:
        assert not {"role", "type", "text", "id", "name", "input", "source", "thinking", "signature"} & set(keys)
        assert keys[-1] not in {"content", "tool_use_id"}
    if keys[0] == "tools":
        assert not {"name", "type", "description", "input_schema"} & set(keys)
    if keys[0] == "thinking":
        assert not {"type", "budget_tokens"} & set(keys)


@given(st.integers(0, 999), st.binary())
def test_any_bytes(status: int, body: bytes) -> None:
    check(read_refusal(status, body))


@given(_JSON)
def test_any_json(value: object) -> None:
    check(read_refusal(400, encode(value)))


@given(_WORDINGS, _PLACES, _PLACES, st.sampled_from([".", "/"]))
def test_any_place_in_known_words(wording: str, first: list[str], second: list[str], separator: str) -> None:
    check(read(wording.replace("{}", separator.join(first), 1).replace("{}", second[0])))


@given(
    st.lists(_WORDS | st.integers(0, 9), max_size=8), st.sampled_from(["extra_forbidden", "literal_error", "missing"])
)
@example(["thinking", "type", "messages"], "extra_forbidden")
def test_any_place_in_a_list_of_errors(place: list[str | int], type: str) -> None:
    item = {"type": type, "loc": ["body", *place], "msg": "Input should be 'text' or 'image'", "input": "search_result"}
    check(read_refusal(422, encode({"detail": [item]})))


@given(st.text(max_size=300))
def test_any_path(path: str) -> None:
    if is_droppable(path):
        check_path(path)


def test_deep_nesting() -> None:
    assert read_refusal(400, b"[" * 20_000) is None
    assert read_refusal(400, b'{"error":' * 5000 + b"1" + b"}" * 5000) is None


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        (
            "You passed 67073 input tokens and requested 64000 output tokens. However, the model's context length is "
            "only 131072 tokens, resulting in a maximum input length of 67072 tokens.",
            Overflow(131073, 131072, 64000),
        ),
        (
            "Trying to keep the first 9204 tokens when context the overflows. However, the model is loaded with "
            "context length of only 4096 tokens",
            Overflow(9204, 4096),
        ),
        (
            "The input (40000 tokens) is longer than the model's context length (32768 tokens).",
            Overflow(40000, 32768),
        ),
        (
            "Requested token count exceeds the model's maximum context length of 65536 tokens. You requested a total "
            "of 84000 tokens: 20000 tokens from the input messages and 64000 tokens for the completion.",
            Overflow(84000, 65536, 64000),
        ),
        (
            "max_tokens=64000 cannot be greater than max_model_len=max_total_tokens=32768.",
            Lessons((Lesson("max_tokens", 16384),)),
        ),
        (
            "Invalid 'max_tokens': integer above maximum value. Expected a value <= 8192, but got 64000 instead.",
            Lessons((Lesson("max_tokens", 8192),)),
        ),
        ("Unrecognized request argument supplied: thinking", Lessons((Lesson("drop", "thinking"),))),
        ("messages[1]: unknown variant `image_url`, expected `text`", Lessons((Lesson("images", "note"),))),
    ],
)
def test_wordings_of_servers_that_people_run_themselves(text: str, refusal: Refusal) -> None:
    assert read_refusal(400, json.dumps({"error": {"message": text}}).encode()) == refusal


NO_PROJECTOR = "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"


def test_llamacpp_refuses_images_as_if_it_had_failed() -> None:
    """With 500; what else fails with that status has nothing to do with the request."""
    body = encode({"error": {"code": 500, "message": NO_PROJECTOR, "type": "server_error"}})
    assert read(NO_PROJECTOR, 400) == read_refusal(500, body) == Lessons((Lesson("images", "note"),))
    assert read(NO_PROJECTOR, 503) is read(f"Failed to parse: {NO_PROJECTOR}", 500) is None
    assert read("messages[1]: unknown variant `image_url`, expected `text`", 500) is None


def test_the_least_that_does_not_fit_is_no_size_of_a_prompt() -> None:
    """vLLM tells limit - output + 1 as "at least N input tokens"."""
    assert Overflow(131073, 131072, 64000).leaves_room is None
    assert Overflow(84000, 65536, 64000).leaves_room == 45536
    assert Overflow(9204, 4096).leaves_room is None
