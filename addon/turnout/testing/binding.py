"""Thinking as the models of the generation 5.5 bind it: to the model, the account, and all that was said before.

Rules: https://docs.claude.com/en/docs/build-with-claude/extended-thinking, as collected in the project's protocol
notes (autumn 2026). Texts of the refusals follow the API's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from turnout.testing.mint import Mint
from turnout.testing.refusal import Refusal
from turnout.testing.wire import RecordedRequest

BETA = "thinking-binding-controls-2026-08-01"
_BOUND = (
    "{}: Invalid `signature` in `thinking` block. The block is bound to a different conversation. Remove the block, or "
    'set `thinking.block_binding.prefix_mismatch_behavior` to "drop_block".'
)

Item = tuple[str, Any]
"""What was said: the role and a block. Where one message ends and the next begins makes no difference."""


@dataclass(frozen=True)
class BoundMint(Mint):
    """Signs for one request, and takes a block back only where it belongs."""

    of_other_accounts: Literal["refused", "dropped"] = "refused"

    def seal(self, request: RecordedRequest, thought: str) -> str:
        """The signature of the thought with which an answer to this request begins."""
        seal = {
            "name": self.name,
            "model": request.model,
            "account": account_of(request),
            "text": thought,
            "prefix": _prefix(request.json, _items(request.json["messages"]), request.model, account_of(request)),
        }
        return base64.b64encode(json.dumps(seal).encode()).decode()

    def check(self, request: RecordedRequest) -> None:
        """Raises Refusal for a block that was made elsewhere, or for another conversation."""
        for transformation in self.transformations(request):
            reason, place = transformation["reason"], transformation["path"]
            if reason == "organization_binding_mismatch" and self.of_other_accounts == "refused":
                raise _refused(f"{place}: Invalid `signature` in `thinking` block")
            if reason == "prefix_binding_mismatch" and not _drops(request):
                raise _refused(_BOUND.format(place))

    def transformations(self, request: RecordedRequest) -> list[dict[str, str]]:
        """The `input_transformations` of an answer: blocks that are left out. Raises Refusal for one of another's."""
        found = []
        said: list[Item] = []
        for position, message in enumerate(request.json["messages"]):
            for number, block in enumerate(_blocks(message)):
                place = f"messages.{position}.content.{number}"
                if block["type"] == "thinking" and (reason := self._mismatch(request, block, said, place)):
                    found.append({"type": "thinking_dropped", "path": place, "reason": reason})
                said.append((message["role"], block))
        return found

    def _mismatch(self, request: RecordedRequest, block: dict[str, Any], said: list[Item], place: str) -> str:
        seal = _opened(block)
        if seal is None or (seal["name"], seal["text"]) != (self.name, block.get("thinking")):
            raise _refused(f"{place}: Invalid `signature` in `thinking` block")
        if seal["model"] != request.model:
            return "model_binding_mismatch"
        if seal["account"] != account_of(request):
            return "organization_binding_mismatch"
        prefix = _prefix(request.json, said, seal["model"], seal["account"])
        return "" if seal["prefix"] == prefix else "prefix_binding_mismatch"


def account_of(request: RecordedRequest) -> str:
    """Every credential is an account of its own."""
    sent = request.lower
    return sent.get("x-api-key") or sent.get("authorization", "").removeprefix("Bearer ")


def _drops(request: RecordedRequest) -> bool:
    binding = request.json.get("thinking", {}).get("block_binding", {})
    return binding.get("prefix_mismatch_behavior") == "drop_block" and BETA in request.betas


def _prefix(body: dict[str, Any], said: list[Item], model: str, account: str) -> str:
    """Cache markers are not compared, and neither are thoughts that this model or account cannot read."""
    kept = [(role, block) for role, block in said if not _is_unread(block, model, account)]
    system = list(_blocks({"content": body.get("system") or []}))  # as in messages, a text stands for a block of it
    whole = [system, body.get("tools"), kept]
    return hashlib.sha256(json.dumps(_unmarked(whole), sort_keys=True).encode()).hexdigest()


def _is_unread(block: dict[str, Any], model: str, account: str) -> bool:
    seal = _opened(block) if block["type"] == "thinking" else None
    return seal is not None and (seal["model"], seal["account"]) != (model, account)


def _opened(block: dict[str, Any]) -> dict[str, Any] | None:
    try:
        seal = json.loads(base64.b64decode(block.get("signature") or "", validate=True))
    except (binascii.Error, ValueError):
        return None
    return seal if isinstance(seal, dict) and "prefix" in seal else None


def _items(messages: list[dict[str, Any]]) -> list[Item]:
    return [(message["role"], block) for message in messages for block in _blocks(message)]


def _blocks(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    content = message["content"]
    yield from [{"type": "text", "text": content}] if isinstance(content, str) else content


def _unmarked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unmarked(each) for key, each in value.items() if key != "cache_control"}
    return [_unmarked(each) for each in value] if isinstance(value, list | tuple) else value


def _refused(message: str) -> Refusal:
    return Refusal(400, "invalid_request_error", message)
