"""What the view keeps: the newest flows, within a number and a size; what the user marked stays."""

from __future__ import annotations

import gc
from weakref import ref

import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.test import tflow, tutils

from turnout.errors import ConfigError
from turnout.flows.trimming import Keep, Trimmer
from turnout.inspect.notes import ATTEMPT_MARK


def finished(size: int = 10, marked: str = "") -> HTTPFlow:
    flow = tflow.tflow(req=tutils.treq(content=b"x" * size), resp=tutils.tresp(content=b""))
    flow.live = False
    flow.marked = marked
    return flow


class View:
    """Trims, and remembers in which order flows were taken out."""

    def __init__(self, keep: Keep) -> None:
        self.removed: list[HTTPFlow] = []
        self.trimmer = Trimmer(keep, self.removed.append)

    def over(self, *flows: HTTPFlow) -> None:
        for flow in flows:
            self.trimmer.over(flow)


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("500", Keep(500)),
        ("64KB", Keep(None, 64_000)),
        ("1000,512MB", Keep(1000, 512_000_000)),
        (" 1MB , 10 ", Keep(10, 1_000_000)),
        ("all", Keep()),
    ],
)
def test_what_is_to_be_kept_is_said_in_words(text: str, keep: Keep) -> None:
    assert Keep.parse(text) == keep


@pytest.mark.parametrize("text", ["", "0", "many", "-1", "10,", "5 apples", "0MB", "1e3"])
def test_what_says_nothing_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(ConfigError, match="1000,512MB"):
        Keep.parse(text)


def test_the_oldest_leave_when_there_are_too_many() -> None:
    view, flows = View(Keep(flows=2)), [finished() for _ in range(4)]
    view.over(*flows)
    assert view.removed == flows[:2]


def test_the_oldest_leave_when_they_are_too_large() -> None:
    view = View(Keep(size=100))
    small, large, next_one = finished(30), finished(80), finished(15)
    view.over(small, large)
    assert view.removed == [small]
    view.over(next_one)
    assert view.removed == [small]


def test_the_newest_stays_whatever_its_size() -> None:
    view, flow = View(Keep(size=100)), finished(1000)
    view.over(flow)
    assert view.removed == []


def test_nothing_leaves_without_limits() -> None:
    view = View(Keep())
    view.over(*[finished(1000) for _ in range(50)])
    assert view.removed == []


def test_flows_that_the_user_marked_stay_and_those_that_turnout_marked_leave() -> None:
    view = View(Keep(flows=1))
    users, ours = finished(marked=":star:"), finished(marked=ATTEMPT_MARK)
    view.over(users, ours, finished())
    assert view.removed == [ours]


def test_a_flow_that_is_sent_again_counts_once_and_as_the_newest() -> None:
    view = View(Keep(flows=2))
    first, second, third = finished(), finished(), finished()
    view.over(first, second, first, third)
    assert view.removed == [second]


def test_a_flow_under_way_again_is_left_alone() -> None:
    view, flow = View(Keep(flows=1)), finished()
    view.over(flow)
    flow.live = True
    view.over(finished())
    assert view.removed == []


def test_the_backup_counts_when_it_is_another_body() -> None:
    view = View(Keep(size=100))
    rewritten = finished(60)
    rewritten.backup()
    rewritten.request.raw_content = b"y" * 60
    view.over(rewritten, finished(1))
    assert view.removed == [rewritten]


def test_what_the_user_has_removed_is_not_held_in_memory() -> None:
    view, flow = View(Keep(flows=10)), finished()
    view.over(flow)
    gone = ref(flow)
    del flow
    gc.collect()
    assert gone() is None
    view.over(*[finished() for _ in range(3)])
