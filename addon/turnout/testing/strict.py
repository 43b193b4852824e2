"""Anthropic's own validation of a request, as far as its rules are known, so that nothing sloppy passes a test.

Rules: https://docs.claude.com/en/api/messages, …/api/errors, …/build-with-claude/handling-stop-reasons and
…/prompt-caching. Texts of the refusals follow the API's where clients key on them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from turnout.testing.refusal import Refusal, require
from turnout.testing.strict_fields import (
    BETA_BLOCKS,
    BETA_FIELDS,
    BLOCKS,
    COUNT_FIELDS,
    GA_FIELDS,
    PER_MESSAGE,
    TOOL_KEYS,
    TOOL_SEARCH,
)
from turnout.testing.strict_models import generation, model_violation
from turnout.testing.turns import check_answer
from turnout.testing.wire import RecordedRequest

__all__ = ["Credential", "Refusal", "check_count_tokens", "check_credential", "check_messages", "violations"]

MAX_BODY = 32_000_000


@dataclass(frozen=True, slots=True)
class Credential:
    """The one credential a provider accepts, and the header it must come in.

    `api-key` is Anthropic's rule for API keys: x-api-key, or Bearer as its Python SDK sends them from 2.0 on.
    """

    style: Literal["api-key", "x-api-key", "bearer", "none"]
    value: str = ""
    beta: str = ""
    """A value that `anthropic-beta` must then hold."""

    @classmethod
    def of(cls, value: str) -> Credential:
        """The rule that Anthropic has for a key of this look; any other key is a Bearer token."""
        if value.startswith("sk-ant-oat"):
            return cls("bearer", value, "oauth-2025-04-20")
        return cls("api-key" if value.startswith("sk-ant-api") else "bearer", value)


NO_CREDENTIAL = Credential("none")

_FOREIGN_HEADERS = re.compile(
    r"x-turnout-.*|cookie|proxy-.*|x-forwarded-.*|forwarded|via|keep-alive|te|trailer|upgrade|x-real-ip"
)
_IDENTIFIER = re.compile(r"[a-zA-Z0-9_-]+")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_BETA = re.compile(r"[a-z0-9-]+-(\d{4}-\d{2}-\d{2}|\d{8})")
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}")


def violations(request: RecordedRequest, authority: str, forbidden: Sequence[str]) -> Iterator[str]:
    """What no proxy may ever send to a provider, whatever the provider makes of it.

    `forbidden` are texts that must occur neither in a header nor in the body.
    """
    names = [name.lower() for name, _ in request.headers]
    for name in sorted(set(names)):
        if _FOREIGN_HEADERS.fullmatch(name):
            yield f"the header {name} reached the provider"
        if names.count(name) > 1 and name != "anthropic-beta":
            yield f"the header {name} is there {names.count(name)} times"
    if request.lower.get("host") != authority:
        yield f"host is {request.lower.get('host')!r} instead of {authority!r}"
    if "authorization" in names and "x-api-key" in names:
        yield "two credentials in one request"
    for text in forbidden:
        if any(text in value for _, value in request.headers):
            yield f"{text!r} reached the provider in a header"
        if text.encode() in request.body:
            yield f"{text!r} reached the provider in the body"


def check_credential(request: RecordedRequest, accepted: Sequence[Credential]) -> None:
    """Raises Refusal (401) unless exactly one credential is there and it is one of `accepted`."""
    sent = request.lower
    key, authorization = sent.get("x-api-key"), sent.get("authorization")
    if key is not None and authorization is not None:
        raise Refusal(401, "authentication_error", "exactly one of x-api-key and authorization is accepted")
    for credential in accepted:
        if credential.style == "none" and key is None and authorization is None:
            return
        if credential.style in ("api-key", "x-api-key") and key == credential.value:
            return
        if credential.style in ("api-key", "bearer") and authorization == f"Bearer {credential.value}":
            if credential.beta and credential.beta not in request.betas:
                raise Refusal(401, "authentication_error", "OAuth authentication is currently not supported.")
            return
    name = "x-api-key" if authorization is None else "bearer token"
    missing = key is None and authorization is None
    raise Refusal(401, "authentication_error", f"{name} header is required" if missing else f"invalid {name}")


def check_messages(request: RecordedRequest) -> None:
    """POST /v1/messages. Raises Refusal."""
    body = _checked_body(request)
    _known_fields(body, GA_FIELDS, request)
    require(type(body.get("max_tokens")) is int and body["max_tokens"] >= 0, "max_tokens: Field required")
    require(isinstance(body.get("stream", False), bool), "stream: Input should be a valid boolean")
    _thinking(body, request)
    wrong = model_violation(body, request.lower["anthropic-version"])
    require(wrong is None, str(wrong))


def check_count_tokens(request: RecordedRequest) -> None:
    """POST /v1/messages/count_tokens. Raises Refusal."""
    _known_fields(_checked_body(request), COUNT_FIELDS, request)


def _checked_body(request: RecordedRequest) -> dict[str, Any]:
    """What both endpoints ask of headers, model, messages and tools."""
    if len(request.body) > MAX_BODY:
        raise Refusal(413, "request_too_large", "Request exceeds the maximum size")
    require("anthropic-version" in request.lower, "anthropic-version: header is required")
    require(_VERSION.fullmatch(request.lower["anthropic-version"]) is not None, "anthropic-version: not a version")
    require(request.lower.get("content-type", "").partition(";")[0] == "application/json", "content-type: use JSON")
    for beta in request.betas:
        require(_BETA.fullmatch(beta) is not None, f"Unexpected value(s) `{beta}` for the `anthropic-beta` header.")
    body: dict[str, Any] = request.json if isinstance(request.json, dict) else {}
    require(bool(body), "The request body is not valid JSON")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Refusal(400, "invalid_request_error", "model: Field required")
    if "[" in model:
        raise Refusal(404, "not_found_error", f"model: {model}")
    _messages(body.get("messages"), model, request)
    _tools(body, request)
    _cache_markers(body, request)
    return body


def _known_fields(body: dict[str, Any], known: frozenset[str], request: RecordedRequest) -> None:
    for name in body:
        unlocked = any(beta in request.betas for beta in BETA_FIELDS.get(name, ()))
        require(name in known or unlocked, f"{name}: Extra inputs are not permitted")


def _unlocked(betas: Sequence[str], request: RecordedRequest) -> bool:
    return any(beta in request.betas for beta in betas)


def _messages(messages: Any, model: str, request: RecordedRequest) -> None:
    require(isinstance(messages, list) and bool(messages), "messages: at least one message is required")
    turns = []
    for position, message in enumerate(messages):
        place = f"messages.{position}"
        require(isinstance(message, dict), f"{place}: Input should be an object")
        role = message.get("role")
        unknown = set(message) - {"role", "content"} - (_keys_of_entry(model, request) if role == "system" else set())
        require(not unknown, f"{place}.{'.'.join(sorted(unknown))}: Extra inputs are not permitted")
        if role == "system":
            known = generation(model)
            allowed = any(beta.startswith("mid-conversation-system-") for beta in request.betas)
            allowed = allowed or request.lower["anthropic-version"] >= "2026-10-21" or not known or known >= (4, 8)
            require(allowed, f"{place}.role: Input should be 'user' or 'assistant'")
            if message.get("content") == [] and message.get("output_config"):
                continue
        else:
            require(role in ("user", "assistant"), f"{place}.role: Input should be 'user' or 'assistant'")
        blocks = _blocks(message.get("content"), place, request)
        if role == "assistant":
            check_answer(blocks, place)
        if role != "system":
            turns.append((place, role, blocks))
    require(bool(turns) and turns[0][1] == "user", "messages: first message must use the user role")
    _tool_order(turns)


def _keys_of_entry(model: str, request: RecordedRequest) -> set[str]:
    """Beside role and content, of a system entry."""
    known = generation(model)
    newest = known is None or known >= (5, 5) or "-5-2" in model
    keys = {"output_config"} if newest and _unlocked(PER_MESSAGE, request) else set()
    return keys | ({"clear_at"} if _unlocked(("mid-conversation-system-clear-at-2026-08-21",), request) else set())


def _blocks(content: Any, place: str, request: RecordedRequest) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    require(isinstance(blocks, list) and bool(blocks), f"{place}.content: Field required")
    for position, block in enumerate(blocks):
        here = f"{place}.content.{position}"
        require(isinstance(block, dict) and isinstance(block.get("type"), str), f"{here}.type: Field required")
        kind = block["type"]
        require(
            kind in BLOCKS or _unlocked(BETA_BLOCKS.get(kind, ()), request), f"{here}.type: tag '{kind}' not found"
        )
        if kind == "text":
            text = block.get("text")
            require(isinstance(text, str) and bool(text), f"{here}: text content blocks must be non-empty")
            require(bool(str(text).strip()), f"{here}: text content blocks must contain non-whitespace text")
        if kind == "thinking":
            require(bool(block.get("signature")), f"{here}.signature: Field required")
        if kind == "tool_use":
            require(_IDENTIFIER.fullmatch(str(block.get("id"))) is not None, f"{here}.id: String should match pattern")
            require(isinstance(block.get("input"), dict), f"{here}.input: Input should be a valid dictionary")
        if kind == "tool_result" and isinstance(block.get("content"), list) and block["content"]:
            _blocks(block["content"], here, request)
    return blocks


def _tool_order(turns: list[tuple[str, str, list[dict[str, Any]]]]) -> None:
    """Each tool_use is answered in the very next user message, results come first, and none is without a use."""
    open_calls: list[str] = []
    calls = [block["id"] for _, _, blocks in turns for block in blocks if block["type"] == "tool_use"]
    require(len(set(calls)) == len(calls), "messages: `tool_use` ids must be unique")
    for place, role, blocks in turns:
        results = [block.get("tool_use_id") for block in blocks if block["type"] == "tool_result"]
        if role == "assistant":
            require(not open_calls, _unanswered(place, open_calls))
            open_calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
            continue
        missing = [call for call in open_calls if call not in results]
        require(not missing, _unanswered(place, missing))
        stray = [result for result in results if result not in open_calls]
        require(not stray, f"{place}: unexpected `tool_use_id` found in `tool_result` blocks: {stray}")
        require(len(set(results)) == len(results), f"{place}: each tool_use must have a single result")
        first = [block["type"] for block in blocks[: len(results)]]
        require(all(type == "tool_result" for type in first), f"{place}: tool_result blocks must come first")
        open_calls = []
    require(not open_calls, _unanswered("messages", open_calls))


def _unanswered(place: str, calls: Iterable[str]) -> str:
    return f"{place}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(calls)}"


def _tools(body: dict[str, Any], request: RecordedRequest) -> None:
    tools = body.get("tools", [])
    require(isinstance(tools, list), "tools: Input should be a valid list")
    names = []
    for position, tool in enumerate(tools):
        place = f"tools.{position}"
        require(isinstance(tool, dict), f"{place}: Input should be an object")
        if tool.get("type", "custom") == "custom":
            extra = set(tool) - TOOL_KEYS | (
                {"defer_loading"} & set(tool) if not _unlocked(TOOL_SEARCH, request) else set()
            )
            require(not extra, f"{place}.custom.{'.'.join(sorted(extra))}: Extra inputs are not permitted")
            named = _TOOL_NAME.fullmatch(str(tool.get("name"))) is not None
            require(named, f"{place}.name: String should match pattern")
            schema = tool.get("input_schema")
            described = isinstance(schema, dict) and schema.get("type") == "object"
            require(described, f"{place}.input_schema: Field required")
        names.append(tool.get("name"))
    require(len(set(names)) == len(names), "tools: Tool names must be unique.")
    choice = body.get("tool_choice")
    if choice is None:
        return
    require(isinstance(choice, dict), "tool_choice: Input should be an object")
    require(choice.get("type") in ("auto", "any", "tool", "none"), "tool_choice: Input tag does not match")
    require(choice["type"] != "tool" or choice.get("name") in names, "tool_choice: Tool not found in provided tools")


def _thinking(body: dict[str, Any], request: RecordedRequest) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    require(isinstance(thinking, dict), "thinking: Input should be an object")
    kind = thinking.get("type")
    require(kind in ("enabled", "adaptive", "disabled", "between_tools"), "thinking.type: Input tag does not match")
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        require(type(budget) is int and budget >= 1024, "thinking.enabled.budget_tokens: at least 1024")
        interleaved = "interleaved-thinking-2025-05-14" in request.betas
        message = "`max_tokens` must be greater than `thinking.budget_tokens`"
        require(interleaved or budget < body["max_tokens"], message)
    updates = thinking.get("display") != "updates" or "thinking-display-updates-2026-08-18" in request.betas
    require(updates, "thinking.display: Input should be 'summarized' or 'omitted'")
    binds = "block_binding" not in thinking or "thinking-binding-controls-2026-08-01" in request.betas
    require(binds, "thinking.block_binding: Extra inputs are not permitted")
    if kind in ("enabled", "adaptive"):
        forced = body.get("tool_choice", {}).get("type") in ("any", "tool")
        require(not forced, "Thinking may not be enabled when tool_choice forces tool use.")


def _cache_markers(body: dict[str, Any], request: RecordedRequest) -> None:
    """At most four breakpoints; the keys beyond type and ttl need their betas."""
    keys = {"type", "ttl"}
    keys |= {"scope"} if "prompt-caching-scope-2026-01-05" in request.betas else set()
    keys |= {"evict_on_complete"} if "prompt-caching-evict-2026-05-12" in request.betas else set()
    count = 0
    for marker in _markers([body.get("system"), body.get("tools"), body["messages"]]):
        count += 1
        extra = sorted(set(marker) - keys)
        require(not extra, f"cache_control.{'.'.join(extra)}: Extra inputs are not permitted")
    require(count <= 4, f"A maximum of 4 blocks with cache_control may be provided. Found {count}.")


def _markers(value: Any) -> Iterator[dict[str, Any]]:
    """Cache markers of blocks. Tool inputs and schemas are data, not blocks, and not searched."""
    for item in value if isinstance(value, list) else []:
        if isinstance(item, list):
            yield from _markers(item)
        elif isinstance(item, dict):
            if isinstance(item.get("cache_control"), dict):
                yield item["cache_control"]
            yield from _markers(item.get("content"))
