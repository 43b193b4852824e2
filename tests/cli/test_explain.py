"""C6 and point 8 of the rewriting: `turnout explain` shows what each target of a plan would be sent."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Turnout
from turnout.settings.trust import trust
from turnout.status.explained import Explanation, lines

CONFIG = """
[providers.picky]
base_url = "http://127.0.0.1:9/anthropic"
credentials = ["env:PICKY_KEY"]
auth = "bearer"
rewrite = { profile = "none", drop = ["metadata"], keep_betas = ["keep-*"] }

[providers.open]
base_url = "https://open.example/api"
auth = "none"
rewrite.profile = "none"

[[routes]]
model = "claude-opus-*"
to = ["picky/small", "open", "anthropic"]
"""

BODY: dict[str, Any] = {
    "model": "claude-opus-4-6",
    "max_tokens": 8,
    "metadata": {"user_id": "u"},
    "messages": [{"role": "user", "content": "hi"}],
}


@pytest.fixture(autouse=True)
def config(home: Path) -> None:
    (home / "mitm.conf").write_text(CONFIG)
    trust([home / "mitm.conf"], os.environ)


@pytest.fixture(autouse=True)
def _digits() -> Iterator[None]:
    """The command lifts a limit of its whole process."""
    before = sys.get_int_max_str_digits()
    yield
    sys.set_int_max_str_digits(before)


def body_file(home: Path, body: Any = BODY) -> str:
    file = home / "body.json"
    file.write_text(json.dumps(body))
    return str(file)


def blocks(text: str) -> list[list[str]]:
    return [block.splitlines() for block in text.strip().split("\n\n")]


def test_every_target_of_the_plan_is_explained(turnout: Turnout, home: Path) -> None:
    outcome = turnout("explain", body_file(home), "--beta", "keep-1,lose-1", "--beta", "keep-2")
    assert (outcome.code, outcome.err) == (0, "")
    head, picky, open_, anthropic = blocks(outcome.out)
    assert head == ["claude-opus-4-6 · 124 bytes · route routes.0 → picky/small, open, anthropic"]
    assert picky[0] == "picky/small: POST http://127.0.0.1:9/anthropic/v1/messages"
    remedy = f"Set PICKY_KEY in the environment or in {home / '.env'}."
    assert picky[1] == f"no credential found (env:PICKY_KEY): this target would be skipped. {remedy}"
    assert picky[2].startswith("rules: ")
    assert picky[3:] == [
        "- anthropic-beta: keep-1,lose-1,keep-2",
        "+ anthropic-beta: keep-1,keep-2",
        "@@ model @@",
        "  {",
        '-   "model": "claude-opus-4-6",',
        '+   "model": "small",',
        '    "max_tokens": 8,',
        '-   "metadata": {',
        '-     "user_id": "u"',
        "-   },",
        '    "messages": [',
        "      {",
    ]
    assert open_ == ["open: POST https://open.example/api/v1/messages", "body: identical"]
    assert anthropic == ["anthropic: POST https://api.anthropic.com/v1/messages", "body: identical"]


def test_of_a_translated_request_the_diff_is_what_the_rules_made_of_it(turnout: Turnout, home: Path) -> None:
    """The body of Chat Completions itself would differ in every line."""
    table = '[providers.chat]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\ncredentials = ["env:CHAT_KEY"]\n'
    rules = 'auth = "bearer"\nrewrite = { profile = "none", drop = ["temperature"] }\n'
    (home / "mitm.conf").write_text(f'{table}{rules}[[routes]]\nmodel = "*"\nto = ["chat/m"]\n')
    trust([home / "mitm.conf"], os.environ)
    body = {**BODY, "temperature": 1, "context_management": {}}
    head, chat = blocks(turnout("explain", body_file(home, body)).out)
    assert chat[0] == "chat/m: POST http://127.0.0.1:9/v1/chat/completions"
    changed = [line for line in chat if line[:2] in ("- ", "+ ")]
    assert changed == ['-   "model": "claude-opus-4-6",', '+   "model": "m",', '-   "temperature": 1,']
    sent = b'{"model":"m","max_tokens":8,"messages":[{"role":"user","content":"hi"}]}'
    assert chat[-4:] == [
        f"then translated to Chat Completions: {len(sent)} bytes, without metadata, context_management",
        '  model: "m"',
        "  max_tokens: 8",
        '  messages: [{"role":"user","content":"hi"}]',
    ]


def test_as_json_the_whole_is_told_that_is_sent(turnout: Turnout, home: Path) -> None:
    table = '[providers.chat]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\ncredentials = ["env:CHAT_KEY"]\n'
    (home / "mitm.conf").write_text(f'{table}[[routes]]\nmodel = "*"\nto = ["chat/m", "anthropic"]\n')
    trust([home / "mitm.conf"], os.environ)
    long = "word " * 3000
    body = {**BODY, "messages": [{"role": "user", "content": long}], "context_management": {}}
    outcome = turnout("explain", body_file(home, body), "--json", "--beta", "one,two")
    assert (outcome.code, outcome.err) == (0, "")
    chat, anthropic = json.loads(outcome.out)
    assert chat["target"] == "chat/m"
    assert chat["url"] == "http://127.0.0.1:9/v1/chat/completions"
    assert chat["body"] == {"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": long}]}
    assert (chat["betas"], anthropic["betas"]) == (None, "one,two")
    assert anthropic["body"] == body


def test_as_json_what_is_no_request_is_told_as_ever(turnout: Turnout, home: Path) -> None:
    (home / "body.json").write_bytes(b'{"model": "claude-opus-5", "messages": "\xff"}')
    outcome = turnout("explain", "body.json", "--json")
    assert (outcome.code, outcome.out) == (2, "")
    assert "not valid JSON" in outcome.err


def test_a_credential_is_neither_needed_nor_shown(
    turnout: Turnout, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PICKY_KEY", "picky-key-0123456789")
    outcome = turnout("explain", body_file(home))
    assert "no credential" not in outcome.out
    assert "picky-key" not in outcome.out


def test_without_betas_it_says_so(turnout: Turnout, home: Path) -> None:
    head = blocks(turnout("explain", body_file(home)).out)[0]
    assert head[1:] == ["anthropic-beta: none given; name what the client sends with --beta"]


def test_another_model(turnout: Turnout, home: Path) -> None:
    """E5: the suffix is a question of the client's, answered by the header of a target that knows it."""
    outcome = turnout("explain", body_file(home), "--model", "claude-sonnet-5[1m]")
    head, anthropic = blocks(outcome.out)
    assert head[0] == "claude-sonnet-5[1m] · 121 bytes · route default → anthropic"
    assert "+ anthropic-beta: context-1m-2025-08-07" in anthropic
    assert '+   "model": "claude-sonnet-5",' in anthropic


def test_a_model_for_a_body_that_names_none(turnout: Turnout, home: Path) -> None:
    outcome = turnout("explain", body_file(home, {"messages": []}), "--model", "claude-sonnet-5")
    assert outcome.code == 0
    assert outcome.out.startswith("claude-sonnet-5 · ")


def test_a_pin_is_the_plan(turnout: Turnout, home: Path) -> None:
    assert turnout("switch", "open").code == 0
    head, open_ = blocks(turnout("explain", body_file(home)).out)
    assert head[0].endswith(" · route pinned → open")
    assert open_[-1] == "body: identical"


def test_learned_rules_are_told(turnout: Turnout, home: Path) -> None:
    place = {"provider": "picky", "endpoint": "messages", "model": "small", "until": time.time() + 3600}
    lessons = [
        place | {"rule": "drop", "value": "context_management"},
        place | {"rule": "drop", "value": "thinking.display"},
        place | {"rule": "images", "value": "note"},
        place | {"rule": "drop", "value": "speed", "model": "large"},
        place | {"rule": "drop", "value": "speed", "provider": "anthropic", "model": "claude-opus-4-6"},
    ]
    file = home / ".local/state/turnout/learned.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"version": 1, "lessons": lessons}))
    _, picky, open_, anthropic = blocks(turnout("explain", body_file(home)).out)
    expected = 'rewrite.drop = ["context_management", "thinking.display"]; rewrite.models.small.images = "note"'
    assert f"learned: {expected}" in picky
    assert not any(line.startswith("learned") for line in open_ + anthropic)


def test_an_integer_of_any_length(turnout: Turnout, home: Path) -> None:
    (home / "body.json").write_text(json.dumps(BODY)[:-1] + f', "metadata2": {"9" * 5000}}}')
    outcome = turnout("explain", "body.json")
    assert (outcome.code, outcome.err) == (0, "")
    assert '-   "model": "claude-opus-4-6",' in outcome.out


def test_another_configuration(turnout: Turnout, home: Path) -> None:
    other = home / "other.conf"
    other.write_text('[[routes]]\nmodel = "*"\nto = "open"\n[providers.open]\nbase_url = "http://127.0.0.1:1"\n')
    assert "route routes.0 → open\n" in turnout("explain", body_file(home), "--config", str(other)).out


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_standard_input(turnout: Turnout, monkeypatch: pytest.MonkeyPatch, mark: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(mark + json.dumps(BODY).encode())))
    outcome = turnout("explain", "-")
    assert outcome.code == 0
    assert outcome.out.startswith("claude-opus-4-6 · 124 bytes")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"{", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b"9079:9:websocket;0:~", "is a recording"),
        (b"{}", "model: Field required"),
        (b'{"model": 1}', "model: Input should be a string"),
        (b'{"model": "claude-opus-5", "messages": "\xff"}', "not valid JSON"),
        (b'{"model": "claude-opus-5", "messages": ' + b"[" * 9000 + b"]" * 9000 + b"}", "nested too deeply|not valid"),
    ],
)
def test_what_is_no_request(
    turnout: Turnout, home: Path, monkeypatch: pytest.MonkeyPatch, body: bytes, told: str
) -> None:
    (home / "body.json").write_bytes(body)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(body)))
    for name, shown in (("body.json", "body.json"), ("-", "standard input")):
        outcome = turnout("explain", name)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert outcome.err.startswith(f"turnout: {shown}: ")
        assert any(words in outcome.err for words in told.split("|"))


@pytest.mark.parametrize("name", ["nowhere.json", ".", "a\0b"])
def test_a_file_that_cannot_be_read(turnout: Turnout, name: str) -> None:
    outcome = turnout("explain", name)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "cannot be read" in outcome.err


def test_a_broken_configuration(turnout: Turnout, home: Path) -> None:
    (home / "mitm.conf").write_text("[broken")
    outcome = turnout("explain", body_file(home))
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)


def test_a_pipe_gets_plain_lines_of_any_length(turnout_process: Turnout, home: Path) -> None:
    long = "claude-opus-" + "x" * 240
    outcome = turnout_process("explain", body_file(home, BODY | {"model": long}), PYTHONIOENCODING="utf-8")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[0].startswith(f"{long} · ")
    assert "\x1b" not in outcome.out


def test_a_terminal_gets_colours(turnout: Turnout, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert '\x1b[32m+   "model": "small",\x1b[0m' in turnout("explain", body_file(home)).out


def test_another_way_to_write_the_same_is_no_diff() -> None:
    explanation = Explanation("t", "http://t", (), (None, None), (b'{"a": 1}', b'{"a":1}'))
    assert list(lines(explanation))[1:] == ["body: identical but for blanks, escapes or keys given twice"]


def test_of_a_large_body_only_the_changes_are_on_the_screen(turnout: Turnout, home: Path) -> None:
    schema = {"type": "object", "properties": {f"p{n}": {"type": "string", "description": "d" * 40} for n in range(40)}}
    tools = [{"name": f"tool{n}", "description": "words " * 200, "input_schema": schema} for n in range(24)]
    messages = [{"role": "user", "content": [{"type": "text", "text": f"{n} " * 300}]} for n in range(1000)]
    outcome = turnout("explain", body_file(home, BODY | {"tools": tools, "messages": messages}))
    assert 20 < len(outcome.out.splitlines()) < 40
