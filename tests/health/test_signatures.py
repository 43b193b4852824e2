"""The ledger of who minted which thinking block."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.health.signatures import SignatureLedger
from turnout.wire.signatures import fingerprint


def prints(*words: str) -> list[str]:
    return [fingerprint(word, "") for word in words]


A, B, C, D = prints("a", "b", "c", "d")


def test_who_minted_it() -> None:
    ledger = SignatureLedger()
    ledger.note([A, B], "anthropic")
    ledger.note([C], "minimax")
    assert [ledger.minted_by(each) for each in (A, B, C, D)] == ["anthropic", "anthropic", "minimax", None]


def test_the_oldest_is_forgotten_and_what_is_asked_for_is_not_old() -> None:
    ledger = SignatureLedger(capacity=3)
    ledger.note([A, B, C], "anthropic")
    assert ledger.minted_by(A)
    ledger.note([D], "minimax")
    assert len(ledger) == 3 and ledger.minted_by(B) is None and ledger.minted_by(A) == "anthropic"


def test_whether_others_are_known() -> None:
    ledger = SignatureLedger(capacity=2)
    assert not ledger.knows_others_than("anthropic")
    ledger.note([A], "anthropic")
    assert not ledger.knows_others_than("anthropic") and ledger.knows_others_than("minimax")
    ledger.note([B], "minimax")
    assert ledger.knows_others_than("anthropic")
    ledger.note([C, D], "anthropic")
    assert not ledger.knows_others_than("anthropic"), "its last block was forgotten"


@given(st.lists(st.tuples(st.sampled_from([A, B, C, D]), st.sampled_from(["x", "y"]), st.booleans())))
def test_like_a_plain_list_of_notes(steps: list[tuple[str, str, bool]]) -> None:
    ledger = SignatureLedger(capacity=2)
    model: dict[str, str] = {}
    for fingerprint_, family, asks in steps:
        if asks:
            assert ledger.minted_by(fingerprint_) == model.get(fingerprint_)
            if fingerprint_ in model:
                model[fingerprint_] = model.pop(fingerprint_)
        else:
            ledger.note([fingerprint_], family)
            model.pop(fingerprint_, None)
            model[fingerprint_] = family
            model = dict(list(model.items())[-2:])
        for each in ("x", "y", "z"):
            assert ledger.knows_others_than(each) is any(other != each for other in model.values())


# --- from one run to the next ---


def test_a_later_run_knows_what_an_earlier_one_knew(tmp_path: Path) -> None:
    file = tmp_path / "state" / "turnout" / "signatures.json"
    first, second = SignatureLedger(), SignatureLedger(capacity=2)
    first.note([A, B], "minimax")
    first.write(file, first.encoded())
    second.note([C, B], "anthropic")
    second.load(file)
    assert second.encoded() == f'{{"{C}":"anthropic","{B}":"anthropic"}}'.encode()
    assert not second.knows_others_than("anthropic"), "what this run saw is newer"


def test_the_file_is_the_users_alone_and_holds_hashes_only(tmp_path: Path) -> None:
    file = tmp_path / "a" / "signatures.json"
    file.parent.mkdir()
    file.parent.chmod(0o755)
    ledger = SignatureLedger()
    ledger.note(prints("a very secret signature"), "anthropic")
    ledger.write(file, ledger.encoded())
    assert b"secret" not in file.read_bytes()
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_no_file_is_no_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = SignatureLedger()
    ledger.load(tmp_path / "none")
    assert len(ledger) == 0 and not caplog.records


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"a":"b"}', b'{"0123456789abcdef":""}', b'{"0123456789abcdef":1}', b"\xff"]
)
def test_a_broken_file_is_ignored_with_one_warning(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "signatures.json"
    file.write_bytes(content)
    ledger = SignatureLedger()
    with caplog.at_level(logging.WARNING, "turnout"):
        ledger.load(file)
    assert len(ledger) == 0 and [str(file) in record.getMessage() for record in caplog.records] == [True]


def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    ledger = SignatureLedger()
    with caplog.at_level(logging.WARNING, "turnout"):
        ledger.write(tmp_path / "taken" / "signatures.json", b"{}")
        ledger.write(tmp_path / "taken" / "signatures.json", b"{}")
    assert len(caplog.records) == 1
