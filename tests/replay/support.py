"""What the replay tests share: the committed recordings."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from tests import ROOT
from turnout.testing.recording import read_flows

RECORDINGS = ROOT / "recordings"
CLIENT = RECORDINGS / "claude-code-client.mitm"
ATTEMPTS = RECORDINGS / "failover-attempts.mitm"
PLAIN = RECORDINGS / "plain.mitm"


def posts(file: Path) -> list[Any]:
    """The flows with a request to /v1/messages, in order."""
    return [flow for flow in read_flows(file) if flow.request.path.startswith("/v1/messages")]


def sha256(message: Any) -> str:
    return hashlib.sha256(message.raw_content or b"").hexdigest()
