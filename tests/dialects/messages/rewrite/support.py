"""What the tests of rewriting share."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from turnout.dialects.messages.rewrite import Rewritten, Subject, rewrite
from turnout.settings.rewriting import Rewrite

MODEL = "some-model"


def body_of(**fields: Any) -> dict[str, Any]:
    """A small request; a field given as None is left out."""
    base = {"model": MODEL, "max_tokens": 32000, "messages": [user("hello")], **fields}
    return {name: value for name, value in base.items() if value is not None}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content[0] if content and isinstance(content[0], str) else list(content)}


def assistant(*content: Any) -> dict[str, Any]:
    return {**user(*content), "role": "assistant"}


def system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def reminder(text: str) -> dict[str, Any]:
    return said(f"<system-reminder>\n{text}\n</system-reminder>")


def call(id: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": "Bash", "input": arguments}


def result(id: str, content: Any = "done") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, "content": content}


def thought(text: str, signature: str = "c2lnbmVk") -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": signature}


def rewritten(
    body: dict[str, Any] | bytes, rules: Rewrite | None = None, subject: Subject | None = None, **table: Any
) -> Rewritten:
    """The body under these rules, which may also be given as the keys of a `rewrite` table."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    about = subject or Subject(model=MODEL, client_model=MODEL)
    return rewrite(data, fields, rules or Rewrite.model_validate(table), about)


def result_of(body: dict[str, Any], subject: Subject | None = None, **table: Any) -> dict[str, Any]:
    """The rewritten body, decoded."""
    found: dict[str, Any] = json.loads(rewritten(body, None, subject, **table).body)
    return found
