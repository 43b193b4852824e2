"""llama.cpp's own HTTP server on a loopback port, with a tiny model: `python -m tests.e2e.llama_server FILE TOKENS`.

It says its address, and ends with the input of its process, so that it does not outlive who started it.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.tiny_model import write_tiny_model

PACKAGE = "xllamacpp"
"""Python wheels of llama.cpp that hold its server."""


@contextmanager
def llama_server(directory: Path, context: int) -> Iterator[str]:
    """The address of a server whose window has as many tokens."""
    model, log = directory / "tiny.gguf", directory / "llama.log"
    write_tiny_model(model, context=context)
    command = [sys.executable, "-m", __spec__.name, str(model), str(context)]
    with log.open("wb") as written:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=written, text=True)
    assert process.stdin and process.stdout
    with process:
        try:
            address = process.stdout.readline().strip()
            assert address.startswith("http://"), log.read_text(errors="replace")[-3000:]
            yield address
        finally:
            process.stdin.close()
            process.stdout.close()


def main(model: str, context: int) -> None:
    llama = importlib.import_module(PACKAGE)
    parameters = llama.CommonParams()
    parameters.model.path = model
    parameters.n_ctx = context
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1  # two would wait for each other, busily
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.ui = False
    parameters.warmup = False
    parameters.sampling.seed = 1
    parameters.sampling.top_k = 0  # nothing is cut off because it is a little less likely
    parameters.sampling.top_p = 1.0
    parameters.sampling.min_p = 0.01
    server = llama.Server(parameters)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
