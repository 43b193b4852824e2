"""What stands around every hook: it fails closed, and a flow is served to its end by the Turnout that began with it."""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from mitmproxy import http

from turnout.errors import FAILED, trace_of
from turnout.proxy.pages import local_error
from turnout.proxy.steering import disengage, steering
from turnout.redaction.text import redact

logger = logging.getLogger("turnout")


class Keeper(Protocol):
    """An addon that serves flows."""

    def keeper_of(self, flow: http.HTTPFlow) -> Keeper | None:
        """Who serves this flow: this addon, one that it replaces, or nobody of ours."""

    def fault(self, flow: http.HTTPFlow, error: Exception) -> None:
        """Answer a flow in whose hook something went wrong."""

    def fault_at_end(self, flow: http.HTTPFlow, error: Exception) -> None:
        """Give back what a flow holds in whose last hook something went wrong."""


FlowHook = TypeVar("FlowHook", bound=Callable[..., Awaitable[None]])
ConnectionHook = TypeVar("ConnectionHook", bound=Callable[..., None])


def guarded(hook: FlowHook) -> FlowHook:
    """A hook that fails closed: an exception becomes a JSON 500, never an unrouted request."""
    return _kept(hook, _refuse)


def concluding(hook: FlowHook) -> FlowHook:
    """The last hook of a flow: an exception costs neither the answer, which is there, nor what the flow holds."""
    return _kept(hook, _conclude)


def _kept(hook: FlowHook, failed: Callable[[Keeper, http.HTTPFlow, Exception], None]) -> FlowHook:
    @functools.wraps(hook)
    async def safe(self: Keeper, flow: http.HTTPFlow) -> None:
        keeper = self.keeper_of(flow)
        if keeper is None:
            return
        if keeper is not self:
            await getattr(keeper, hook.__name__)(flow)
            return
        try:
            await hook(self, flow)
        except Exception as error:
            failed(self, flow, error)

    return safe  # type: ignore[return-value]


def _refuse(keeper: Keeper, flow: http.HTTPFlow, error: Exception) -> None:
    try:
        keeper.fault(flow, error)
    except Exception as worse:
        disengage(flow)
        flow.response = local_error(500, FAILED, steering(flow).dialect)
        logger.warning("internal error while a fault was told: %s", redact(f"{type(worse).__name__}: {worse}"))


def _conclude(keeper: Keeper, flow: http.HTTPFlow, error: Exception) -> None:
    with unharmed("a fault at the end was told"):
        keeper.fault_at_end(flow, error)


@contextmanager
def unharmed(doing: str) -> Iterator[None]:
    """What goes wrong meanwhile is told, and keeps nothing that follows from being done. `doing`: "a flow ended"."""
    try:
        yield
    except Exception as error:
        logger.warning("internal error while %s: %s", doing, redact(trace_of(error)))


def contained(hook: ConnectionHook) -> ConnectionHook:
    """A hook about connections: an exception is told, and mitmproxy's own handling goes on."""

    @functools.wraps(hook)
    def safe(self: object, data: Any) -> None:
        try:
            hook(self, data)
        except Exception as error:
            logger.warning("internal error in %s: %s", hook.__name__, redact(f"{type(error).__name__}: {error}"))

    return safe  # type: ignore[return-value]
