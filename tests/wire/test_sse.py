"""Frames are cut byte-exact whatever the chunking (C3), and read as the WHATWG grammar says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.wire.sse import Event, EventSplitter, parse_event

BOM = b"\xef\xbb\xbf"

streams = st.lists(
    st.sampled_from(
        [b"\n", b"\n", b"\r", b"\r\n", b"\n\n", b"event: ping", b"event:x", b"data: {}", b"data", b": c", b"x", BOM]
    ),
    max_size=24,
).map(b"".join)
cuts = st.lists(st.integers(0, 250), max_size=12)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in zip(edges, edges[1:], strict=False)]


def frame_ends(stream: bytes) -> list[int]:
    """The grammar once more, one byte at a time: the offsets after each blank line."""
    ends = []
    at, line_start = 0, 0
    while at < len(stream):
        if stream[at] not in b"\r\n":
            at += 1
            continue
        blank = at == line_start
        if stream[at : at + 1] == b"\r":
            if at + 1 == len(stream):
                break
            at += stream[at + 1 : at + 2] == b"\n"
        at += 1
        line_start = at
        if blank:
            ends.append(at)
    return ends


def frames_of(stream: bytes) -> list[bytes]:
    ends = frame_ends(stream)
    return [stream[start:end] for start, end in zip([0, *ends], ends, strict=False)]


class TestEventSplitter:
    @given(streams, cuts)
    def test_the_frames_are_those_of_the_grammar_however_the_stream_is_cut(
        self, stream: bytes, cuts: list[int]
    ) -> None:
        splitter = EventSplitter()
        frames = [frame for piece in pieces(stream, cuts) for frame in splitter.feed(piece)]

        assert frames == frames_of(stream)
        assert b"".join(frames) + splitter.tail == stream

    @given(streams)
    def test_byte_by_byte(self, stream: bytes) -> None:
        splitter = EventSplitter()
        frames = [frame for at in range(len(stream)) for frame in splitter.feed(stream[at : at + 1])]

        assert frames == frames_of(stream)

    @given(streams, cuts)
    def test_a_flush_in_the_middle_changes_no_byte_and_no_later_end(self, stream: bytes, cuts: list[int]) -> None:
        splitter = EventSplitter()
        given_out, ends = 0, []
        for piece in pieces(stream, cuts):
            for frame in splitter.feed(piece):
                given_out += len(frame)
                ends.append(given_out)
            tail = splitter.tail
            assert splitter.pending == len(tail)
            assert splitter.flush() == tail
            assert (splitter.tail, splitter.pending) == (b"", 0)
            given_out += len(tail)

        assert given_out == len(stream)
        assert sorted(set(frame_ends(stream)) - set(ends)) == []

    @pytest.mark.parametrize(
        ("stream", "frames", "tail"),
        [
            (b"data: 1\n\ndata: 2\n\n", [b"data: 1\n\n", b"data: 2\n\n"], b""),
            (b"data: 1\r\n\r\ndata: 2\r\n\r\n", [b"data: 1\r\n\r\n", b"data: 2\r\n\r\n"], b""),
            (b"data: 1\r\rdata: 2\r\r", [b"data: 1\r\r"], b"data: 2\r\r"),
            (b"data: 1\n\r\ndata: 2\r\n\n", [b"data: 1\n\r\n", b"data: 2\r\n\n"], b""),
            (b"data: 1\r\ndata: 2\n", [], b"data: 1\r\ndata: 2\n"),
            (b"data: 1\n\n\n\ndata: 2\n\n", [b"data: 1\n\n", b"\n", b"\n", b"data: 2\n\n"], b""),
            (b"\n\r\n", [b"\n", b"\r\n"], b""),
            (BOM + b"data: 1\n\n", [BOM + b"data: 1\n\n"], b""),
            (b"", [], b""),
        ],
    )
    def test_line_ends(self, stream: bytes, frames: list[bytes], tail: bytes) -> None:
        splitter = EventSplitter()

        assert splitter.feed(stream) == frames
        assert splitter.tail == tail

    def test_a_carriage_return_at_the_end_of_a_chunk_waits_for_its_other_half(self) -> None:
        splitter = EventSplitter()

        assert splitter.feed(b"data: 1\r\n\r") == []
        assert splitter.feed(b"\ndata") == [b"data: 1\r\n\r\n"]
        assert splitter.tail == b"data"

    def test_a_chunk_that_is_one_frame_is_not_copied(self) -> None:
        frame = b"event: ping\ndata: {}\n\n"

        assert EventSplitter().feed(frame)[0] is frame

    def test_the_rest_of_a_flushed_frame_is_not_taken_for_a_blank_line(self) -> None:
        splitter = EventSplitter()
        splitter.feed(b"data: a long line")

        assert splitter.flush() == b"data: a long line"
        assert splitter.feed(b"\ndata: more\n") == []
        assert splitter.feed(b"\ndata: next\n\n") == [b"\ndata: more\n\n", b"data: next\n\n"]


FRAMES = [
    (b"event: ping\ndata: {}\n\n", Event("ping", b"{}")),
    (b"event:ping\ndata:{}\n\n", Event("ping", b"{}")),
    (b"event:  ping \ndata:  {}\n\n", Event(" ping ", b" {}")),
    (b"event: ping\r\ndata: {}\r\n\r\n", Event("ping", b"{}")),
    (b"event: ping\rdata: {}\r\r", Event("ping", b"{}")),
    (b"event: ping\ndata: 1\revent: late\n\n", Event("late", b"1")),
    (b"data: {}\nevent: ping\n\n", Event("ping", b"{}")),
    (b"event: first\nevent: second\ndata: 1\n\n", Event("second", b"1")),
    (b"event: first\nevent\ndata: 1\n\n", Event("", b"1")),
    (b"event: ping\nevents: none\ndata: 1\n\n", Event("ping", b"1")),
    (b"event: ping\n event: none\n\n", Event("ping", b"")),
    (b"data: a\ndata\ndata:\ndata: b\n\n", Event("", b"a\n\n\nb")),
    (b"data: a:b\n\n", Event("", b"a:b")),
    (b": comment\nid: 7\nretry: 10\nevent: e\n: more\ndata: 1\n\n", Event("e", b"1")),
    (BOM + b"event: ping\ndata: {}\n\n", Event("ping", b"{}")),
    (b"event: p\xffng\ndata: \xff\n\n", Event("p\ufffdng", b"\xff")),
    (b"event: \n\n", Event("", b"")),
    (b"data:\n\n", Event("", b"")),
    (b": keep-alive\n\n", None),
    (b"id: 1\nretry: 5\n\n", None),
    (b"Event: ping\nDATA: 1\n\n", None),
    (b"\n", None),
    (b"\r\n", None),
    (BOM + b"\n", None),
    (b"<html>\n\n", None),
    (b"", None),
]


@pytest.mark.parametrize(("frame", "event"), FRAMES)
def test_parse_event(frame: bytes, event: Event | None) -> None:
    assert parse_event(frame) == event
