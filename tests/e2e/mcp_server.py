"""A server of the Model Context Protocol on standard input and output, with one tool and its one answer.

    python mcp_server.py NAME ANSWER

https://modelcontextprotocol.io/specification: JSON-RPC, one message a line.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def answered(asked: dict[str, Any], name: str, text: str) -> dict[str, Any]:
    match asked["method"]:
        case "initialize":
            version = asked["params"]["protocolVersion"]
            server = {"name": "scripted", "version": "1"}
            return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": server}
        case "tools/list":
            schema = {"type": "object", "properties": {"what": {"type": "string"}}}
            return {"tools": [{"name": name, "description": "Looks it up.", "inputSchema": schema}]}
        case "tools/call":
            return {"content": [{"type": "text", "text": f"{text} {asked['params']['arguments']['what']}"}]}
    return {}


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" in asked:
            told = {"jsonrpc": "2.0", "id": asked["id"], "result": answered(asked, *sys.argv[1:])}
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
