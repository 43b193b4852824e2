"""The form of a request in OpenAI's Chat Completions API, as far as compatible servers differ in it.

What is asked is the business of the other rules, which work on the Messages request before it is translated.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from turnout.settings.table import as_list

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
"""The values of `reasoning_effort` (OpenAI's SDK 3.57), weakest first."""


class ChatForm(BaseModel):
    """How a request is written. Without any setting: what the most compatible servers take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    output_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """The field for the largest number of tokens of an answer. OpenAI's reasoning models refuse the older one."""
    efforts: Annotated[tuple[Effort, ...], BeforeValidator(as_list)] = ()
    """What `reasoning_effort` may be; an effort that is not among them becomes the nearest. Empty: it is not sent."""
    thinking_switch: Literal["none", "thinking", "enable_thinking", "thinking_budget_tokens"] = "none"
    """How thinking is turned on and off beside the effort: `thinking: {type}`, `enable_thinking` with
    `thinking_budget`, or `thinking_budget_tokens`, 0 for none and -1 for any number."""
    thoughts: Literal["none", "reasoning_content", "reasoning", "reasoning_details"] = "none"
    """The field in which the thoughts of earlier answers are given back."""
    stream_usage: bool = True
    """It takes `stream_options`, and is asked for the token counts of a stream."""
    parallel_switch: bool = True
    """It takes `parallel_tool_calls`."""
    call_ids: Literal["any", "nine"] = "any"
    """`nine`: ids of tool calls are nine letters and digits (Mistral)."""
    no_content: Literal["null", "empty", "absent"] = "null"
    """What stands for the text of an answer that only calls tools."""
    after_results: str = ""
    """What the assistant is made to say between the results of tools and what the user says behind them, where a
    server wants it so (Mistral: "Unexpected role 'user' after role 'tool'"). Empty: nothing."""
    documents: Literal["file", "text"] = "text"
    """`file`: PDF documents go as `file` parts; else a line of text stands for them."""
    schemas: Literal["keep", "plain"] = "keep"
    """`plain`: the parameters of tools use nothing but what the strictest servers read (Gemini): no references, no
    `const`, no lists of types, no keywords that they do not know."""
    strict: Literal["absent", "false"] = "absent"
    """What is said of tools that do not ask for strict schemas."""
    call_extra: dict[str, Any] = Field(default_factory=dict)
    """The `extra_content` of calls that have none of their own, because another provider made them."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Fields that every request has beside what was asked."""
