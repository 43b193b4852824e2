"""The check of a Chat Completions request, in the order in which servers look."""

from __future__ import annotations

from typing import Any

from turnout.testing.chat.given_back import check_given_back
from turnout.testing.chat.messages import check_messages
from turnout.testing.chat.order import check_order
from turnout.testing.chat.problem import (
    ChatProblem,
    empty_array,
    invalid,
    missing,
    only_default,
    too_long,
    unknown_field,
    unknown_value,
    unsupported_field,
    unsupported_value,
    wrong_type,
)
from turnout.testing.chat.tools import check_choice, check_tools
from turnout.testing.chat.vendor import ChatVendor
from turnout.testing.wire import RecordedRequest

_RANGES: dict[str, tuple[float, float]] = {
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}
_LIMITS = ("max_tokens", "max_completion_tokens")


def check_request(vendor: ChatVendor, request: RecordedRequest) -> None:
    """POST …/chat/completions. Raises ChatProblem."""
    kind = request.lower.get("content-type", "").partition(";")[0]
    body = request.json
    if kind != "application/json" or not isinstance(body, dict):
        said = "We could not parse the JSON body of your request."
        raise ChatProblem("value", (), said)
    check_body(vendor, body)
    _check_size(vendor.for_model(request.model), request)


def check_body(vendor: ChatVendor, body: dict[str, Any]) -> None:
    """Raises ChatProblem with the first thing this vendor refuses."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise ChatProblem("value", (), "you must provide a model parameter")
    if "[" in model:  # a mark of Claude Code's, such as [1m]
        raise unknown_model(model)
    own = vendor.for_model(model)
    _check_fields(own, body)
    check_messages(own, body.get("messages"))
    check_order(own, body["messages"])
    check_tools(own, body)
    _check_values(own, body)
    _check_thinking(own, body)
    check_choice(own, body)
    check_given_back(own, body)


def unknown_model(model: str) -> ChatProblem:
    said = f"The model `{model}` does not exist or you do not have access to it."
    return ChatProblem("model", (), said, "model_not_found", 404)


def _check_fields(own: ChatVendor, body: dict[str, Any]) -> None:
    known = own.known_fields
    for name in body:
        if name in own.unsupported:
            raise unsupported_field(name, own.unsupported[name])
        if known is not None and name not in known:
            raise unknown_field((name,), known)


def _check_values(own: ChatVendor, body: dict[str, Any]) -> None:
    for name, default in own.defaults.items():
        if body.get(name, default) != default:
            raise only_default(name, body[name], default)
    for name, bounds in {"temperature": own.temperatures, **_RANGES}.items():
        if name in body:
            _check_number(body[name], name, *bounds)
    for name in _LIMITS:
        if name in body:
            _check_count(body[name], name, 1, None)
    if all(name in body for name in _LIMITS):
        said = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise ChatProblem("value", ("max_tokens",), said, "invalid_parameter_combination")
    if "n" in body:
        _check_count(body["n"], "n", 1, own.most_choices)
    _check_stop(own, body.get("stop"))
    _check_stream(own, body)


def _check_number(value: Any, name: str, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type((name,), "a decimal", value)
    if value < low:
        wrong = f"decimal below minimum value. Expected a value >= {low:g}, but got {value} instead."
        raise invalid((name,), wrong, "decimal_below_min_value", value)
    if value > high:
        wrong = f"decimal above maximum value. Expected a value <= {high:g}, but got {value} instead."
        raise invalid((name,), wrong, "decimal_above_max_value", value)


def _check_count(value: Any, name: str, least: int, most: int | None) -> None:
    if type(value) is not int:
        raise wrong_type((name,), "an integer", value)
    if value < least:
        wrong = f"integer below minimum value. Expected a value >= {least}, but got {value} instead."
        raise invalid((name,), wrong, "integer_below_min_value", value)
    if most is not None and value > most:
        wrong = f"integer above maximum value. Expected a value <= {most}, but got {value} instead."
        raise invalid((name,), wrong, "integer_above_max_value", value)


def _check_stop(own: ChatVendor, stop: Any) -> None:
    if stop is None or (isinstance(stop, str) and stop):
        return
    if not isinstance(stop, list) or not all(isinstance(each, str) and each for each in stop):
        raise wrong_type(("stop",), "an array of strings", stop)
    if not stop:
        raise empty_array(("stop",))
    if len(stop) > own.most_stops:
        raise too_long(("stop",), "array", own.most_stops, len(stop))


def _check_stream(own: ChatVendor, body: dict[str, Any]) -> None:
    if not isinstance(body.get("stream", False), bool):
        raise wrong_type(("stream",), "a boolean", body["stream"])
    options = body.get("stream_options")
    if "stream_options" not in body:
        return
    if not body.get("stream"):
        said = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise ChatProblem("value", ("stream_options",), said)
    if not isinstance(options, dict):
        raise wrong_type(("stream_options",), "an object", options)
    own.refuse_unknown(options, ("include_usage", "include_obfuscation"), ("stream_options",))
    for name, value in options.items():
        if not isinstance(value, bool):
            raise wrong_type(("stream_options", name), "a boolean", value)


def _check_thinking(own: ChatVendor, body: dict[str, Any]) -> None:
    effort = body.get("reasoning_effort")
    if "reasoning_effort" in body and own.efforts and effort not in own.efforts:
        raise unsupported_value(("reasoning_effort",), effort, own.efforts)
    if own.tools_without_effort and body.get("tools") and effort != "none":
        said = (
            f"Function tools with reasoning_effort are not supported for {body['model']} in /v1/chat/completions. "
            "To use function tools, use /v1/responses or set reasoning_effort to 'none'."
        )
        raise ChatProblem("value", ("reasoning_effort",), said)
    if not isinstance(body.get("enable_thinking", False), bool):
        raise wrong_type(("enable_thinking",), "a boolean", body["enable_thinking"])
    if own.thinks_in_streams and own.is_thinking(body) and not body.get("stream"):
        said = "parameter.enable_thinking must be set to false for non-streaming calls"
        raise ChatProblem("own", ("enable_thinking",), said)
    if "thinking" not in body or not own.thinking:
        return
    thinking = body["thinking"]
    if not isinstance(thinking, dict) or "type" not in thinking:
        raise missing(("thinking", "type"))
    own.refuse_unknown(thinking, own.thinking_fields, ("thinking",))
    if thinking["type"] not in own.thinking:
        raise unknown_value(("thinking", "type"), thinking["type"], own.thinking)
    if own.thinks_or_tries and effort is not None:
        raise ChatProblem("own", ("thinking",), "cannot specify both 'thinking' and 'reasoning_effort'")


def _check_size(own: ChatVendor, request: RecordedRequest) -> None:
    tokens = len(request.body) // 4
    if own.window is not None and tokens > own.window:
        raise too_many_tokens(own.window, tokens)
    asked = tokens + int(request.json.get("max_tokens") or request.json.get("max_completion_tokens") or 0)
    if own.per_minute is not None and asked > own.per_minute:
        said = (
            f"Request too large for model `{request.model}` in organization `org_scripted` service tier `on_demand` on "
            f"tokens per minute (TPM): Limit {own.per_minute}, Requested {asked}, please reduce your message size and "
            "try again."
        )
        raise ChatProblem("size", (), said, "rate_limit_exceeded", 413, type="tokens")


def too_many_tokens(window: int, tokens: int) -> ChatProblem:
    said = (
        f"This model's maximum context length is {window} tokens. However, your messages resulted in {tokens} tokens. "
        "Please reduce the length of the messages."
    )
    return ChatProblem("size", ("messages",), said, "context_length_exceeded", value=window)
