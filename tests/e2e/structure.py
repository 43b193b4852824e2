"""The structure of a request: endpoint, headers, betas, fields, types and switches, and not a word of its texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from turnout.testing.wire import RecordedRequest

VALUES = frozenset(
    ("model", "max_tokens", "stream", "role", "type", "effort", "display", "ttl", "scope", "budget_tokens", "keep")
    + ("defer_loading", "disable_parallel_tool_use", "permission_mode", "max_uses")
)
"""Fields whose values are switches of the protocol; of all others only the kind of the value counts."""

SPOKEN_HEADERS = frozenset(("accept-encoding", "anthropic-version", "x-app", "x-stainless-retry-count"))
"""Headers whose values are switches of the protocol."""

OPAQUE = frozenset(("input", "input_schema", "schema", "classifier_context"))
"""What belongs to a tool or to a machine. It is looked at from outside."""

Structure = dict[str, list[str]]
"""By endpoint, sorted lines."""


def structure_of(requests: Iterable[RecordedRequest]) -> Structure:
    """What all these requests have between them."""
    found: dict[str, set[str]] = {}
    for request in requests:
        found.setdefault(_endpoint(request), set()).update(_lines(request))
    return {endpoint: sorted(lines) for endpoint, lines in sorted(found.items())}


def _endpoint(request: RecordedRequest) -> str:
    words = [request.method, request.target]
    body = request.json if isinstance(request.json, dict) else {}
    if request.path.endswith("/messages"):
        kinds = {tool.get("type", "") for tool in body.get("tools", [])}
        words += ["(subagent)"] if "x-claude-code-agent-id" in request.lower else []
        words += ["(search)"] if any(kind.startswith("web_search") for kind in kinds) else []
        words += [] if kinds else ["(no tools)"]
    return " ".join(words)


def _lines(request: RecordedRequest) -> Iterator[str]:
    for name, value in request.headers:
        if name.lower() == "anthropic-beta":
            yield from (f"beta {beta}" for beta in request.betas)
        elif name.lower() in SPOKEN_HEADERS:
            yield f"header {name}: {value}"
        else:
            yield f"header {name}"
    if isinstance(request.json, dict):
        yield from _walk(request.json, "", "")


def _walk(value: Any, path: str, key: str) -> Iterator[str]:
    if isinstance(value, dict) and key not in OPAQUE:
        for name, inner in value.items():
            yield from _walk(inner, f"{path}.{name}" if path else name, name)
    elif isinstance(value, list) and value and key not in OPAQUE:
        for inner in value:
            yield from _walk(inner, f"{path}[{_label(inner)}]", key)
    elif path == "tools[].name":
        yield f"{path} = {value}" if not str(value).startswith("mcp__") else f"{path} = mcp__"
    elif key in VALUES and not isinstance(value, dict | list):
        yield f"{path} = {json.dumps(value)}"
    elif key == "user_id" and isinstance(value, str) and value.startswith("{"):
        yield f"{path} holds {', '.join(sorted(json.loads(value)))}"
    else:
        yield f"{path}: {_kind(value)}"


def _label(item: Any) -> str:
    """What tells the items of a list from each other."""
    if not isinstance(item, dict):
        return ""
    return str(item.get("role") or item.get("type") or "")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "flag", int: "number", float: "number", str: "text", list: "list", dict: "object"}
    name = names[type(value)]
    return f"empty {name}" if value in ("", [], {}) and name in ("text", "list", "object") else name


def differences(recorded: dict[str, Structure], seen: dict[str, Structure]) -> list[str]:
    """What is new (+) and what is gone (-), by scenario and endpoint. A scenario that is not in `seen` is left out."""
    found = []
    for scenario, structure in seen.items():
        before = recorded.get(scenario, {})
        for endpoint in sorted(before.keys() | structure.keys()):
            old, new = set(before.get(endpoint, [])), set(structure.get(endpoint, []))
            if not old or not new:
                found.append(f"{'+' if new else '-'} {scenario}: {endpoint}")
                continue
            place = f"{scenario}: {re.sub(r' /v1/messages.beta=true', ' messages', endpoint)}: "
            found += [f"- {place}{line}" for line in sorted(old - new)]
            found += [f"+ {place}{line}" for line in sorted(new - old)]
    return found
