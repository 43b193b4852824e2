"""`mitmdump -nr`: a recording that is only looked at stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay.support import CHAIN, PLAIN
from turnout.testing.fixtures import StartMitmdump
from turnout.testing.recording import read_flows

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("file", [PLAIN, CHAIN], ids=lambda file: file.stem)
def test_stored_flows_are_left_alone(mitmdump: StartMitmdump, tmp_path: Path, file: Path) -> None:
    """Comment, metadata, requests and answers come out as they went in, without a config and without a credential."""
    out = tmp_path / "out.mitm"
    process = mitmdump("", "-nr", str(file), "-w", str(out), mode=None)
    assert process.exit_code() == 0, process.output
    assert [flow.get_state() for flow in read_flows(out)] == [flow.get_state() for flow in read_flows(file)]


def test_the_note_of_a_saved_exchange_can_be_filtered(mitmdump: StartMitmdump, tmp_path: Path) -> None:
    """`~comment` and `~meta` find what Turnout noted when the flow was recorded."""
    out = tmp_path / "out.mitm"
    expression = '~comment "anthropic 200" & ~meta "turnout.verdict"'
    process = mitmdump("", "-nr", str(PLAIN), "-w", str(out), expression, mode=None)
    assert process.exit_code() == 0, process.output
    (flow,) = read_flows(out)
    assert flow.metadata["turnout.provider"] == "anthropic"
