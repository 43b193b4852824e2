"""What it costs to translate a request into Chat Completions and a streamed answer back, beside litellm's adapters.

    python -m tests.bench.translation                           # ours alone
    python -m tests.bench.translation --beside VENV/bin/python  # and those of the litellm that is installed there

Bytes in, bytes out, in processor time, the best of many: a request from its JSON to JSON, a stream of 1,000 chunks
from its frames to frames. The same bodies are given to both, in turns of their own processes; other work on the machine
slows down now one and now the other, so that each has several turns.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench import translation_litellm as others
from tests.bench.rewriting import request_body
from tests.bench.timing import best
from turnout.dialects.chat.request import chat_request
from turnout.dialects.chat.stream import ChatDecoder
from turnout.settings.chat import ChatForm

SIZES = {"86 KB": 86_000, "1.5 MB": 1_500_000}
CHUNKS = 1000
TURNS = 5
TARGET = 1 / 3
"""Of litellm's time."""
FORM = ChatForm(efforts=("low", "medium", "high"))


def chunks(count: int) -> list[bytes]:
    """The frames of an answer of Chat Completions: text, as OpenAI writes it."""
    common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choice = {"index": 0, "finish_reason": None}
    deltas = [{"role": "assistant", "content": ""}, *({"content": f" word{number}"} for number in range(count - 3))]
    told = [{**common, "choices": [{**choice, "delta": delta}]} for delta in deltas]
    told.append({**common, "choices": [{**choice, "delta": {}, "finish_reason": "stop"}]})
    told.append({**common, "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}})
    return [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in told] + [b"data: [DONE]\n\n"]


def decode(frames: list[bytes]) -> bytes:
    decoder = ChatDecoder()
    return b"".join([*map(decoder.feed, frames), decoder.finish()])


def ours(bodies: dict[str, bytes], frames: list[bytes]) -> dict[str, float]:
    """Seconds by name."""
    found = {name: best(lambda body=body: chat_request(body, FORM)) for name, body in bodies.items()}
    assert decode(frames).endswith(b'{"type":"message_stop"}\n\n')
    return {**found, f"{CHUNKS} chunks": best(lambda: decode(frames))}


def theirs(python: str, bodies: dict[str, bytes], frames: list[bytes]) -> dict[str, float]:
    """The same of litellm, in a process of that Python."""
    with tempfile.TemporaryDirectory() as folder:
        for name, body in bodies.items():
            Path(folder, name).write_bytes(body)
        Path(folder, f"{CHUNKS} chunks").write_bytes(b"".join(frames))
        root = str(Path(__file__).resolve().parents[2])
        told = subprocess.run(
            [python, "-m", others.__name__, folder], cwd=root, capture_output=True, text=True, check=True
        )
    found: dict[str, float] = json.loads(told.stdout.splitlines()[-1])
    return found


def least(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """The lesser of the two by each name."""
    return {name: min(seconds, one.get(name, seconds)) for name, seconds in other.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", metavar="PYTHON", help="one that has litellm")
    chosen = parser.parse_args()
    bodies = {name: request_body(size) for name, size in SIZES.items()}
    frames = chunks(CHUNKS)
    mine, other = ours(bodies, frames), {}
    for _ in range(TURNS if chosen.beside else 0):
        mine = least(mine, ours(bodies, frames))
        other = least(other, theirs(chosen.beside, bodies, frames))
    for name, seconds in mine.items():
        beside = f"  litellm {other[name] * 1e3:9.2f} ms  ratio {seconds / other[name]:.3f}" if name in other else ""
        print(f"{name:>12}  {seconds * 1e3:8.2f} ms{beside}")
    missed = [name for name in other if mine[name] > TARGET * other[name]]
    print(f"Missed, at most a third: {', '.join(missed)}" if missed else "", file=sys.stderr)


if __name__ == "__main__":
    main()
