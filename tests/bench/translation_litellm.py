"""The other side of `tests.bench.translation`: litellm's adapters, in a Python that has them and not Turnout.

It is given a folder with requests and a stream, and writes the seconds for each as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.bench.timing import best


def main() -> None:
    from litellm.llms.anthropic.messages.adapters.streaming_iterator import AnthropicStreamWrapper
    from litellm.llms.anthropic.messages.adapters.transformation import AnthropicAdapter
    from litellm.types.utils import ModelResponseStream

    adapter = AnthropicAdapter()

    def translate(body: bytes) -> bytes:
        request = adapter.translate_completion_input_params({**json.loads(body), "model": "openai/gpt-4.1"})
        return json.dumps(request).encode()

    def decode(frames: list[bytes]) -> bytes:
        chunks = (ModelResponseStream(**json.loads(frame[6:])) for frame in frames if frame[6:12] != b"[DONE]")
        stream: Any = chunks
        return b"".join(AnthropicStreamWrapper(stream, "m").anthropic_sse_wrapper())

    found = {}
    for file in sorted(Path(sys.argv[1]).iterdir()):
        data = file.read_bytes()
        if file.name.endswith("chunks"):
            frames = [frame + b"\n\n" for frame in data.split(b"\n\n") if frame]
            assert b"message_stop" in decode(frames)
            found[file.name] = best(lambda frames=frames: decode(frames))
        else:
            assert b'"tool_calls"' in translate(data)
            found[file.name] = best(lambda data=data: translate(data))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
