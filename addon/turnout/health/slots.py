"""How many attempts may run at one provider at the same time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping


class Lease:
    """A slot in use. Give it back with release(); a second release does nothing."""

    __slots__ = ("_pool", "provider")

    def __init__(self, provider: str, pool: _Pool) -> None:
        self.provider = provider
        self._pool: _Pool | None = pool

    def release(self) -> None:
        pool, self._pool = self._pool, None  # first, so that whatever raises gives it back once
        if pool is not None:
            pool.give_back()


class _Pool:
    """The slots of one provider. A slot is counted from the moment it is handed to a waiter."""

    def __init__(self) -> None:
        self.limit: int | None = None
        self.in_use = 0
        self.waiting: deque[asyncio.Future[None]] = deque()

    @property
    def idle(self) -> bool:
        return self.in_use == 0 and not self.waiting

    def take(self) -> bool:
        """Take a slot at once, unless all are in use; a slot that comes free goes to those who wait."""
        if not self.has_room():
            return False
        self.in_use += 1
        return True

    async def wait(self, seconds: float) -> bool:
        """Take a slot when one comes free within the time."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            async with asyncio.timeout(seconds):
                await turn
            return True
        except TimeoutError:
            return _was_granted(turn)
        except asyncio.CancelledError:
            if _was_granted(turn):
                self.give_back()
            raise
        finally:
            if turn in self.waiting:
                self.waiting.remove(turn)

    def give_back(self) -> None:
        self.in_use -= 1
        self.wake()

    def wake(self) -> None:
        """Hand free slots to those who wait, first come first served."""
        while self.waiting and self.has_room():
            turn = self.waiting.popleft()
            if not turn.done():
                self.in_use += 1
                turn.set_result(None)

    def has_room(self) -> bool:
        return self.limit is None or self.in_use < self.limit


def _was_granted(turn: asyncio.Future[None]) -> bool:
    """The slot was handed over in the very moment in which the waiter gave up."""
    return turn.done() and not turn.cancelled()


class Slots:
    """The slots of every provider. Providers without a limit are counted only."""

    def __init__(self) -> None:
        self._pools: dict[str, _Pool] = {}

    def configure(self, limits: Mapping[str, int | None]) -> None:
        """Set the limits; providers not named have none. Leases in use stay valid, whatever the new limit."""
        for name in limits:
            self._pools.setdefault(name, _Pool())
        for name, pool in self._pools.items():
            pool.limit = limits.get(name)
            pool.wake()
        self._pools = {name: pool for name, pool in self._pools.items() if name in limits or not pool.idle}

    def has_room(self, provider: str) -> bool:
        """Whether a slot of the provider is free now."""
        pool = self._pools.get(provider)
        return pool is None or pool.has_room()

    def take(self, provider: str) -> Lease | None:
        """A slot of the provider if one is free now and nobody waits for it."""
        pool = self._pools.setdefault(provider, _Pool())
        return Lease(provider, pool) if pool.take() else None

    async def acquire(self, provider: str, wait: float) -> Lease | None:
        """A slot of the provider, or None when none came free in `wait` seconds. First come, first served."""
        lease = self.take(provider)
        if lease is not None or wait <= 0:
            return lease
        pool = self._pools[provider]
        return Lease(provider, pool) if await pool.wait(wait) else None

    def snapshot(self) -> dict[str, dict[str, int | None]]:
        """Per provider: slots in use, the limit (None for no limit), requests waiting."""
        return {
            name: {"in_use": pool.in_use, "limit": pool.limit, "waiting": len(pool.waiting)}
            for name, pool in self._pools.items()
        }
