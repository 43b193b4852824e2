"""`turnout_record`: flows as they were when they were over, complete, in a file that grows."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.test import tflow

from turnout.errors import ConfigError
from turnout.recordings.recorder import Recorder, path_of
from turnout.testing.recording import read_flows


def record(file: Path, *flows: HTTPFlow) -> None:
    recorder = Recorder(file)
    for flow in flows:
        recorder.add(flow)
    recorder.close()


def test_flows_are_written_in_their_order(tmp_path: Path) -> None:
    file, flows = tmp_path / "a.mitm", [tflow.tflow(resp=True), tflow.tflow(err=True)]
    record(file, *flows)
    assert [flow.get_state() for flow in read_flows(file)] == [flow.get_state() for flow in flows]


def test_a_flow_is_written_as_it_was_when_it_was_over(tmp_path: Path) -> None:
    recorder, flow = Recorder(tmp_path / "a.mitm"), tflow.tflow(resp=True)
    flow.comment = "then"
    recorder.add(flow)
    flow.comment = "later"
    recorder.close()
    (read,) = read_flows(tmp_path / "a.mitm")
    assert read.comment == "then"


def test_what_was_recorded_before_stays(tmp_path: Path) -> None:
    file, first, second = tmp_path / "a.mitm", tflow.tflow(), tflow.tflow()
    record(file, first)
    record(file, second)
    assert [flow.id for flow in read_flows(file)] == [first.id, second.id]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_only_the_user_may_read_it(tmp_path: Path) -> None:
    record(tmp_path / "a.mitm")
    assert stat.S_IMODE((tmp_path / "a.mitm").stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_only_the_user_may_read_one_that_was_there(tmp_path: Path) -> None:
    file = tmp_path / "a.mitm"
    record(file, tflow.tflow())
    file.chmod(0o644)
    record(file, tflow.tflow())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and len(read_flows(file)) == 2


def test_a_file_that_is_something_else_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    file.write_text("# Notes\n")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="no recording"):
        Recorder(file)
    assert file.read_text() == "# Notes\n" and stat.S_IMODE(file.stat().st_mode) & 0o444 == 0o444


@pytest.mark.parametrize("cut", [1, 2, 30, 1000, -1])
def test_half_a_flow_of_an_earlier_run_is_cut_off(tmp_path: Path, caplog: pytest.LogCaptureFixture, cut: int) -> None:
    """A process that was killed; what is written behind half a flow could not be read."""
    file, first, second, third = tmp_path / "a.mitm", tflow.tflow(), tflow.tflow(), tflow.tflow()
    record(file, first)
    whole = file.read_bytes()
    record(file, second)
    file.write_bytes(file.read_bytes()[: len(whole) + cut if cut > 0 else -1])
    record(file, third)
    assert [flow.id for flow in read_flows(file)] == [first.id, third.id]
    assert "half a flow" in caplog.text


@pytest.mark.parametrize("damage", [b"x" * 40, b"7:abc", b"3:abc;", b"99999999999999999:"])
def test_a_damaged_recording_is_not_touched(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "a.mitm"
    record(file, tflow.tflow())
    content = file.read_bytes() + damage + b"and more of it"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="no recording"):
        Recorder(file)
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [b"1200: lunch with Ada\n", b"12345", b"1700000000:event\n", b"1000:ada:x\n", b"99:9:ada;x", b"x", b"4:1:a;x}"],
)
def test_what_only_begins_like_a_recording_is_not_touched(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "notes"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="no recording"):
        Recorder(file)
    assert file.read_bytes() == content


def test_what_is_no_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="no recording"):
        Recorder(Path("/dev/null"))


def test_names_of_files() -> None:
    assert path_of("a.mitm") == Path.cwd() / "a.mitm"
    assert path_of("~/a.mitm") == Path(os.environ["HOME"]) / "a.mitm"
    assert path_of("~nobody-of-this-name/a.mitm") == Path.cwd() / "~nobody-of-this-name/a.mitm"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="turnout_record.*cannot write|cannot write.*No such file"):
        Recorder(tmp_path / "missing" / "a.mitm")
    with pytest.raises(ConfigError, match="cannot write"):
        Recorder(tmp_path)


def test_a_flow_that_cannot_be_written_spoils_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Another addon may put anything into the metadata; it is told once, not for every flow."""
    file, good = tmp_path / "a.mitm", tflow.tflow()
    bad = [tflow.tflow(), tflow.tflow()]
    for flow in bad:
        flow.metadata["other"] = object()
    record(file, *bad, good)
    (read,) = read_flows(file)
    assert read.id == good.id
    assert len([line for line in caplog.messages if "flows are missing" in line]) == 1


def test_half_a_flow_is_taken_back(tmp_path: Path) -> None:
    """A full disk: /dev/full stands for it nowhere but on Linux, so the write itself is cut short here."""
    file, good = tmp_path / "a.mitm", tflow.tflow()
    recorder = Recorder(file)
    recorder.add(good)
    recorder._writer.submit(lambda: None).result()
    whole = recorder._stream

    class Full:
        def __init__(self) -> None:
            self.fileno, self.truncate, self.close = whole.fileno, whole.truncate, whole.close
            self.written = 0

        def write(self, data: bytes) -> int:
            if self.written:
                raise OSError(28, "No space left on device")
            self.written = whole.write(bytes(data[:7]))
            return self.written

    recorder._stream = Full()  # type: ignore[assignment]
    recorder.add(tflow.tflow())
    recorder.close()
    (read,) = read_flows(file)
    assert read.id == good.id
