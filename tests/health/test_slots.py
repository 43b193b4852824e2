"""Slots: bounded waits, first come first served, and never one lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.health.slots import Lease, Slots

LONG = 5.0
"""Seconds; only a lost slot makes a test wait this long."""


def slots_of(limit: int | None) -> Slots:
    slots = Slots()
    slots.configure({"minimax": limit})
    return slots


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


def start(slots: Slots, wait: float = LONG) -> asyncio.Task[Lease | None]:
    return asyncio.create_task(slots.acquire("minimax", wait))


def usage(slots: Slots) -> tuple[int | None, int | None]:
    row = slots.snapshot()["minimax"]
    return row["in_use"], row["waiting"]


async def test_limit_and_snapshot() -> None:
    """A11."""
    slots = slots_of(2)
    first, second = await slots.acquire("minimax", 0), await slots.acquire("minimax", 0)
    assert first is not None and second is not None and first.provider == "minimax"
    assert await slots.acquire("minimax", 0) is None
    assert slots.snapshot() == {"minimax": {"in_use": 2, "limit": 2, "waiting": 0}}
    first.release()
    assert await slots.acquire("minimax", 0) is not None


@pytest.mark.parametrize("provider", ["anthropic", "unheard-of"])
async def test_without_a_limit_slots_are_counted_only(provider: str) -> None:
    """A11: none for Anthropic."""
    slots = Slots()
    slots.configure({"anthropic": None})
    leases = [await slots.acquire(provider, 0) for _ in range(50)]
    assert slots.snapshot()[provider] == {"in_use": 50, "limit": None, "waiting": 0}
    for lease in leases:
        assert lease is not None
        lease.release()
    assert slots.snapshot()[provider]["in_use"] == 0


async def test_a_second_release_does_nothing() -> None:
    slots = slots_of(2)
    lease = await slots.acquire("minimax", 0)
    await slots.acquire("minimax", 0)
    assert lease is not None
    lease.release()
    lease.release()
    assert usage(slots) == (1, 0)


async def test_first_come_first_served() -> None:
    slots = slots_of(1)
    held = await slots.acquire("minimax", 0)
    assert held is not None
    waiting = [start(slots) for _ in range(3)]
    await settle()
    assert usage(slots) == (1, 3)
    for task in waiting:
        held.release()
        assert await slots.acquire("minimax", 0) is None  # nobody overtakes
        held = await task
        assert held is not None
    assert usage(slots) == (1, 0)


async def test_the_wait_is_bounded() -> None:
    slots = slots_of(1)
    lease = await slots.acquire("minimax", 0)
    assert await slots.acquire("minimax", 0.001) is None
    assert usage(slots) == (1, 0)
    assert lease is not None


async def test_a_cancelled_waiter_leaves_the_queue() -> None:
    slots = slots_of(1)
    lease = await slots.acquire("minimax", 0)
    gone, stays = start(slots), start(slots)
    await settle()
    gone.cancel()
    await settle()
    assert gone.cancelled() and usage(slots) == (1, 1)
    assert lease is not None
    lease.release()
    assert await stays is not None


@pytest.mark.parametrize("order", ["release then cancel", "cancel then release"])
async def test_cancelled_in_the_moment_of_the_hand_over(order: str) -> None:
    slots = slots_of(1)
    lease = await slots.acquire("minimax", 0)
    assert lease is not None
    gone, next_in_line = start(slots), start(slots)
    await settle()
    acts: list[Callable[[], object]] = [lease.release, gone.cancel]
    for act in acts if order.startswith("release") else reversed(acts):
        act()
    await settle()
    assert gone.cancelled()
    assert await next_in_line is not None
    assert usage(slots) == (1, 0)


async def test_granted_in_the_moment_of_the_deadline() -> None:
    """A slot handed over when the wait runs out is kept, or given back; it is never lost."""
    slots = slots_of(1)
    lease = await slots.acquire("minimax", 0)
    assert lease is not None
    loop = asyncio.get_running_loop()
    loop.call_later(0.01, lease.release)
    granted = await slots.acquire("minimax", 0.01)
    assert usage(slots) == (0 if granted is None else 1, 0)


async def test_reload() -> None:
    slots = slots_of(1)
    held = await slots.acquire("minimax", 0)
    assert held is not None
    waiting = [start(slots), start(slots)]
    await settle()
    slots.configure({"minimax": 2})
    assert await waiting[0] is not None
    assert usage(slots) == (2, 1)
    slots.configure({"minimax": 1})
    held.release()
    await settle()
    assert usage(slots) == (1, 1)
    slots.configure({})  # the provider is gone from the configuration: nobody waits for it any more
    assert await waiting[1] is not None
    assert usage(slots) == (2, 0)


async def test_a_removed_provider_is_forgotten_when_idle() -> None:
    slots = slots_of(1)
    slots.configure({"zai": 3})
    assert slots.snapshot() == {"zai": {"in_use": 0, "limit": 3, "waiting": 0}}


ACTS = st.lists(
    st.tuples(st.sampled_from(["acquire", "release", "cancel", "settle", "limit"]), st.integers(0, 9)), max_size=40
)


@settings(max_examples=60, deadline=None)
@given(limit=st.integers(1, 3), acts=ACTS)
def test_no_slot_is_lost(limit: int, acts: list[tuple[str, int]]) -> None:
    """Whatever happens in which order: never more slots are held than allowed, and in the end all are free."""

    async def play() -> None:
        slots = slots_of(limit)
        highest = limit
        tasks: list[asyncio.Task[Lease | None]] = []
        held: list[Lease] = []

        def collect() -> None:
            for task in [task for task in tasks if task.done()]:
                tasks.remove(task)
                if not task.cancelled() and (lease := task.result()) is not None:
                    held.append(lease)

        for act, number in acts:
            if act == "acquire":
                tasks.append(start(slots))
            elif act == "release" and held:
                held.pop(number % len(held)).release()
            elif act == "cancel" and tasks:
                tasks[number % len(tasks)].cancel()
            elif act == "limit":
                highest = max(highest, number + 1)
                slots.configure({"minimax": number + 1})
            elif act == "settle":
                await settle()
                collect()
                assert usage(slots) == (len(held), len(tasks))
            assert len(held) <= highest

        for task in tasks:
            task.cancel()
        await settle()
        collect()
        for lease in held:
            lease.release()
        assert not tasks and usage(slots) == (0, 0)

    asyncio.run(play())


def test_a_lease_is_given_back_once_whatever_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a limit would limit less with each time."""
    slots = Slots()
    slots.configure({"p": 1})
    lease = slots.take("p")
    assert lease is not None

    def explode(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(type(slots._pools["p"]), "wake", explode)
    with pytest.raises(RuntimeError):
        lease.release()
    lease.release()
    assert slots.snapshot()["p"]["in_use"] == 0
