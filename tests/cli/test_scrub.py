"""`turnout scrub`: from IN to OUT, in a process as a user starts it and in this one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Turnout
from tests.recordings.scrub.test_flow import EMAIL, KEY, PLANTED, exchange, read, recording

SAID = f"Ask {EMAIL} about {PLANTED}"


@pytest.fixture
def source(home: Path) -> Path:
    file = home / "in.mitm"
    flow = exchange(headers={"x-api-key": KEY})
    flow.request.content = f'{{"messages": [{{"role": "user", "content": "{SAID}"}}]}}'.encode()
    file.write_bytes(recording(flow))
    return file


def test_it_says_what_it_did(turnout: Turnout, source: Path, home: Path) -> None:
    done = turnout("scrub", "in.mitm", "out.mitm")
    assert done.code == 0 and done.err == ""
    first, second = done.out.splitlines()
    assert first == f"out.mitm: 1 flow, {(home / 'out.mitm').stat().st_size / 1000:.1f} kB"
    assert second.startswith("2 texts filled, ") and "1 header value masked" in second
    assert PLANTED.encode() not in (home / "out.mitm").read_bytes()


def test_in_a_process_of_its_own(turnout_process: Turnout, source: Path, home: Path) -> None:
    done = turnout_process("scrub", "in.mitm", "out.mitm", "--host", "127.0.0.1:4711=first.invalid:80")
    assert (done.code, done.err) == (0, "")
    (flow,) = read((home / "out.mitm").read_bytes())
    assert flow.request.url == "http://first.invalid/v1/messages?beta=true"


def test_the_text_is_kept_on_demand(turnout: Turnout, source: Path, home: Path) -> None:
    done = turnout("scrub", "--keep-text", "in.mitm", "out.mitm")
    assert done.code == 0 and "1 text searched and changed" in done.out
    data = (home / "out.mitm").read_bytes()
    assert f"Ask {'*' * len(EMAIL)} about {PLANTED}".encode() in data and EMAIL.encode() not in data


def test_hosts_may_be_several(turnout: Turnout, source: Path, home: Path) -> None:
    names = ("--host", "127.0.0.1:4711=[::1]:81", "--host", "[::2]:1=second.invalid:80")
    assert turnout("scrub", "in.mitm", "out.mitm", "--force", *names).code == 0
    (flow,) = read((home / "out.mitm").read_bytes())
    assert (flow.request.host, flow.request.port) == ("::1", 81)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing.mitm", "out.mitm"), "missing.mitm: there is no such file"),
        (("in.mitm", "in.mitm"), "in.mitm: IN and OUT are the same file"),
        (("in.mitm", "link.mitm"), "link.mitm: IN and OUT are the same file"),
        (("in.mitm", "out.mitm", "--host", "a:1"), "--host: 'a:1' has no =."),
        (("in.mitm", "out.mitm", "--host", "a:1=b"), "--host: 'b' is no HOST:PORT."),
        (("in.mitm", "out.mitm", "--host", "a:b=c:1"), "--host: 'a:b' is no HOST:PORT."),
        (("in.mitm", "out.mitm", "--host", "a:1=c:65536"), "--host: 'c:65536' is no HOST:PORT."),
    ],
)
def test_a_command_line_that_cannot_be_used(
    turnout: Turnout, source: Path, home: Path, arguments: tuple[str, ...], said: str
) -> None:
    before = source.read_bytes()
    (home / "link.mitm").symlink_to(source)
    done = turnout("scrub", *arguments)
    assert done.code == 2 and done.out == ""
    assert done.err.startswith(f"turnout: {said}") and done.err.count("\n") == 1
    assert source.read_bytes() == before and not (home / "out.mitm").exists()


def test_a_recording_that_cannot_be_scrubbed(turnout: Turnout, source: Path, home: Path) -> None:
    source.write_bytes(source.read_bytes() * 2 + b"123:")
    done = turnout("scrub", "in.mitm", "out.mitm")
    assert done.code == 1 and done.out == ""
    assert done.err.startswith("turnout: The recording breaks off after 2 whole flows")
    assert not (home / "out.mitm").exists()


def test_an_output_that_cannot_be_written(turnout: Turnout, source: Path, home: Path) -> None:
    done = turnout("scrub", "in.mitm", "no/such/folder/out.mitm")
    assert done.code == 1 and "No such file or directory" in done.err
    (home / "folder").mkdir()
    done = turnout("scrub", "in.mitm", "folder")
    assert done.code == 1 and "folder" in done.err and "Nothing was written" in done.err
    assert sorted(file.name for file in home.iterdir() if not file.name.startswith("home")) == ["folder", "in.mitm"]


def test_a_file_that_is_there_is_replaced_only_when_told(turnout: Turnout, source: Path, home: Path) -> None:
    """Swapped arguments would cost the recording."""
    (home / "out.mitm").write_text("precious")
    done = turnout("scrub", "in.mitm", "out.mitm")
    assert (done.code, (home / "out.mitm").read_text()) == (2, "precious") and "--force" in done.err
    assert turnout("scrub", "in.mitm", "out.mitm", "--force").code == 0
    assert (home / "out.mitm").read_text(errors="replace") != "precious"


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_kept_texts_are_for_the_user_alone(turnout: Turnout, source: Path, home: Path) -> None:
    turnout("scrub", "in.mitm", "kept.mitm", "--keep-text")
    turnout("scrub", "in.mitm", "clean.mitm")
    modes = [stat.S_IMODE((home / name).stat().st_mode) for name in ("kept.mitm", "clean.mitm")]
    assert modes[0] == 0o600 and modes[1] & 0o044
