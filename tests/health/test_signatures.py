"""The ledger of who minted which thinking block."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.dialects.messages.signatures import REFUSED, fingerprint, mark
from turnout.health.signatures import SignatureLedger


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
    file.parent.mkdir(parents=True)
    file.write_bytes(first.change(0).merged(None))
    second.note([C, B], "anthropic")
    second.load(file)
    assert second.change(0).merged(None) == f'{{"{C}":"anthropic","{B}":"anthropic"}}'.encode()
    assert not second.knows_others_than("anthropic"), "what this run saw is newer"


def test_the_file_holds_hashes_only() -> None:
    ledger = SignatureLedger()
    ledger.note(prints("a very secret signature"), "anthropic")
    assert b"secret" not in ledger.change(0).merged(None)


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


# --- several with one file ---


class Shared:
    """Several ledgers with one file. Each write tells the file what is new since the ledger's last one."""

    def __init__(self, ledgers: int, capacity: int = 100) -> None:
        self.ledgers = [SignatureLedger(capacity) for _ in range(ledgers)]
        self.written = [0] * ledgers
        self.content: bytes | None = None

    def write(self, number: int) -> None:
        change = self.ledgers[number].change(self.written[number])
        self.content = change.merged(self.content)
        assert change.merged(self.content) == self.content, "a write that is made twice changes nothing"
        self.written[number] = change.revision

    def kept(self) -> dict[str, str]:
        assert self.content is not None
        return msgspec.json.decode(self.content, type=dict[str, str])


def test_each_keeps_what_the_other_noted() -> None:
    shared = Shared(2)
    for number, fingerprint_ in ((0, A), (0, B), (1, C), (0, D)):
        shared.ledgers[number].note([fingerprint_], f"signer {number}")
        shared.write(number)
    assert shared.kept() == {A: "signer 0", B: "signer 0", C: "signer 1", D: "signer 0"}


def test_a_full_ledger_does_not_push_out_what_is_newer() -> None:
    shared = Shared(2, capacity=3)
    shared.ledgers[0].note([A, B, C], "x")
    shared.write(0)
    shared.ledgers[1].note([D], "y")
    shared.write(1)
    assert shared.ledgers[0].minted_by(A), "its conversation goes on"
    (new,) = prints("new")
    shared.ledgers[0].note([new], "x")
    shared.write(0)
    assert list(shared.kept()) == [D, A, new]


def test_a_file_that_is_gone_is_made_anew() -> None:
    shared = Shared(1)
    shared.ledgers[0].note([A], "x")
    shared.write(0)
    for content in (None, b"", b"{", b"[]", b'{"a":"b"}', b"\xff"):
        shared.content = content
        shared.ledgers[0].note([B], "x")
        shared.write(0)
        assert shared.kept() == {A: "x", B: "x"}


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abcdef"), st.booleans())))
def test_nothing_is_lost_whatever_the_order_of_writes(steps: list[tuple[int, str, bool]]) -> None:
    shared = Shared(3)
    noted: set[str] = set()
    for number, word, writes in steps:
        if writes:
            shared.write(number)
        else:
            shared.ledgers[number].note(prints(word), "x")
            noted |= set(prints(word))
    for number in range(3):
        shared.write(number)
    assert shared.kept() == dict.fromkeys(noted, "x")


# --- marks ---


def test_what_is_bound_to_something_else_is_another_signers() -> None:
    one, two = mark("anthropic", "1", ""), mark("anthropic", "2", "")
    ledger = SignatureLedger()
    ledger.note([A], one)
    assert not ledger.knows_others_than("anthropic", one) and ledger.knows_others_than("anthropic", two)
    assert not ledger.knows_others_than("anthropic"), "a model that binds nothing takes it"
    ledger.note([B], "anthropic")
    assert not ledger.knows_others_than("anthropic", one)
    ledger.note([C], REFUSED)
    assert ledger.knows_others_than("anthropic") and ledger.minted_by(A) == one
