"""A language model of 24,000 numbers as a GGUF file, which llama.cpp loads in milliseconds: it babbles, but in form.

Its vocabulary is the bytes and a few marks. It thinks a word in capitals, says words in small letters, and now and then
calls a tool or ends its turn, all of it by chance: what comes next depends on the last token, hardly on the others.
The layout of the file: docs/gguf.md of ggml-org/ggml, version 3; the names of tensors and keys: llama.cpp's `llama`.
"""

from __future__ import annotations

import random
import struct
from array import array
from collections.abc import Collection, Mapping
from pathlib import Path

START, END = "<|im_start|>", "<|im_end|>"
CALL, CALLED, THINK, THOUGHT = "<tool_call>", "</tool_call>", "<think>", "</think>"
_MARKS = (START, END, CALL, CALLED, THINK, THOUGHT)
_CONTROL = 2
"""How many of the marks are never shown."""

_WIDTH = 32
_INNER = 32
_STRONG, _FAINT = 4.0, 0.02

TEMPLATE = r"""
{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\n\n' }}
    {%- endif %}
    {%- for tool in tools %}
        {{- (tool | tojson) + '\n' }}
    {%- endfor %}
    {{- '<tool_call>{"name": NAME, "arguments": OBJECT}</tool_call><|im_end|>\n' }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'tool' %}
        {{- '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response><|im_end|>\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>assistant\n' }}
        {%- if message.reasoning_content %}
            {{- '<think>' + message.reasoning_content + '</think>' }}
        {%- endif %}
        {%- if message.content %}
            {{- message.content }}
        {%- endif %}
        {%- for call in message.tool_calls or [] %}
            {{- '<tool_call>{"name": "' + call.function.name + '", "arguments": ' }}
            {{- (call.function.arguments | tojson) + '}</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\n' }}
    {%- elif message.role != 'system' or not loop.first %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"""
"""ChatML with tools and thoughts, in a form from which llama.cpp finds out how to read calls and thoughts."""


def write_tiny_model(file: Path, *, context: int = 4096, seed: int = 7) -> None:
    """The same bytes for the same arguments. `context`: tokens that it says it was trained on."""
    tokens = [*_byte_letters(), *_MARKS]
    tensors = _tensors(tokens, random.Random(seed))
    fields = [_field(name, value) for name, value in _metadata(tokens, context).items()]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(fields)) + b"".join(fields)
    data = b""
    for name, (shape, numbers) in tensors.items():
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += _aligned(numbers.tobytes())
    file.write_bytes(_aligned(head) + data)


# --- what it says ---


def _followers(tokens: list[str]) -> tuple[tuple[set[str], set[str]], ...]:
    """Tokens, and those that may follow each of them. What follows is as likely as the others of its set."""
    capitals, small = ({chr(first + place) for place in range(26)} for first in (65, 97))
    space, line = (_byte_letters()[byte] for byte in (32, 10))
    words = small | {space, '"'}
    known = (
        ({line}, {THINK}),
        ({THINK}, capitals),
        (capitals, capitals | {THOUGHT}),
        ({THOUGHT}, small),
        (small | {space}, words | {END, CALL}),
        ({CALLED}, {END}),
    )
    others = set(tokens).difference(*(those for those, _ in known))
    return (*known, (others, words))


def _tensors(tokens: list[str], chance: random.Random) -> Mapping[str, tuple[tuple[int, ...], array[float]]]:
    """By name: the shape, innermost first, and the numbers.

    The first numbers of a token's embedding say which followers it has; the output is a look at them. Attention and
    what comes after it are there, and add next to nothing.
    """

    def noise(columns: int, rows: int) -> tuple[tuple[int, ...], array[float]]:
        return (columns, rows), array("f", (chance.gauss(0, _FAINT) for _ in range(columns * rows)))

    ones = (_WIDTH,), array("f", [1.0]) * _WIDTH
    embedding, output = noise(_WIDTH, len(tokens)), noise(_WIDTH, len(tokens))
    for number, (those, followers) in enumerate(_followers(tokens)):
        _set(embedding[1], tokens, those, number, _STRONG)
        _set(output[1], tokens, followers, number, _STRONG / 2)
    return {
        "token_embd.weight": embedding,
        "output_norm.weight": ones,
        "output.weight": output,
        "blk.0.attn_norm.weight": ones,
        "blk.0.ffn_norm.weight": ones,
        **{f"blk.0.attn_{part}.weight": noise(_WIDTH, _WIDTH) for part in ("q", "k", "v", "output")},
        "blk.0.ffn_gate.weight": noise(_WIDTH, _INNER),
        "blk.0.ffn_up.weight": noise(_WIDTH, _INNER),
        "blk.0.ffn_down.weight": noise(_INNER, _WIDTH),
    }


def _set(numbers: array[float], tokens: list[str], those: Collection[str], column: int, value: float) -> None:
    for row, token in enumerate(tokens):
        numbers[row * _WIDTH + column] = value if token in those else 0.0


def _byte_letters() -> list[str]:
    """The letter that stands for each byte in a vocabulary of GPT-2's kind: its own where that can be seen."""
    seen = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in seen else next(others)) for byte in range(256)]


# --- the file ---


def _metadata(tokens: list[str], context: int) -> Mapping[str, int | float | bool | str | list[str] | list[int]]:
    kinds = [1] * 256 + [3] * _CONTROL + [4] * (len(_MARKS) - _CONTROL)
    return {
        "general.architecture": "llama",
        "llama.context_length": context,
        "llama.embedding_length": _WIDTH,
        "llama.block_count": 1,
        "llama.feed_forward_length": _INNER,
        "llama.attention.head_count": 1,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": ["t h"],  # it has to have one; its result is no token
        "tokenizer.ggml.bos_token_id": tokens.index(START),
        "tokenizer.ggml.eos_token_id": tokens.index(END),
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": TEMPLATE.strip(),
    }


def _field(name: str, value: int | float | bool | str | list[str] | list[int]) -> bytes:
    match value:
        case bool():
            told = struct.pack("<I?", 7, value)
        case int():
            told = struct.pack("<II", 4, value)
        case float():
            told = struct.pack("<If", 6, value)
        case str():
            told = struct.pack("<I", 8) + _text(value)
        case [str(), *_]:
            told = struct.pack("<IIQ", 9, 8, len(value)) + b"".join(_text(str(each)) for each in value)
        case _:
            told = struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
    return _text(name) + told


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % 32)
