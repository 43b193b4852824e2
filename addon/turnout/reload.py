"""The configuration in force: loaded at start, swapped as a whole when its files change and are valid."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from turnout.errors import ConfigError
from turnout.redaction.secret import Secret
from turnout.settings.edits import SETTLE_LINE, check_keys, settling_time
from turnout.settings.exposure import exposed_secrets
from turnout.settings.folder import warnings
from turnout.settings.load import settings_from
from turnout.settings.model import Settings
from turnout.settings.pin import read_pin
from turnout.settings.places import CONFIG_NAME, config_directory, pin_file
from turnout.settings.sources import Place, Sources, find_place, read_sources, sources_of
from turnout.settings.trust import trust_file
from turnout.settings.watch import FileWatch
from turnout.settings.ways import Addresses
from turnout.setup import Setup, build

logger = logging.getLogger("turnout")

POLL = 0.5
"""Seconds between two looks at the files."""

_MEMORY = "turnout: the configuration in force"


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the files of a place say, and how they looked before they were read."""

    sources: Sources
    setup: Setup
    files: FileWatch
    settling: float
    """Seconds for which the files must stay as they are before this is taken over."""


class LiveSetup:
    """Loads the setup and keeps it up to date. `on_change` is called with every new one, never with an invalid one.

    The files that are in force stay those that are watched: while one is gone, no other takes its place. `check` raises
    ConfigError for settings that are valid in themselves, but not where the proxy listens now, which `addresses` tells.
    `clock` gives seconds.
    """

    def __init__(
        self,
        check: Callable[[Settings], None],
        on_change: Callable[[Setup], None],
        on_pin: Callable[[str | None], None],
        *,
        addresses: Callable[[], Addresses] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._check = check
        self._on_change = on_change
        self._on_pin = on_pin
        self._addresses = addresses
        self._clock = clock
        self.current: Setup | None = None
        """What is in force; None until a valid configuration was found."""
        self.memory: MutableMapping[str, Any] = {}
        """What outlives this object: a script that is loaded again makes a new one, and goes on with what was in force.

        It holds plain data, because the classes of a package that was edited are others.
        """
        self.pinned_by_option: str | None = None
        """The provider named by the option `turnout_provider`, which outranks the pin file."""
        self._chosen: str | None = None
        self._sources: Sources | None = None
        """What the files said when they were taken over."""
        self._guarded = False
        """Client keys are in force."""
        self._waiting: tuple[Sources, float] | None = None
        """An edit that must stay as it is for a while, and when that is over."""
        self._files = FileWatch(())
        self._pin = FileWatch(())
        self._warnings: list[str] = []
        self._task: asyncio.Task[None] | None = None

    def start(self, chosen: str | None, pinned: str | None) -> None:
        """Load for the first time, or anew after an option changed. Raises ConfigError and then changes nothing."""
        if self.current is not None and chosen == self._chosen:
            _check_pin(pinned, self.current.settings)
            self.pinned_by_option = pinned
            self.follow_pin()
            return
        if self.current is None:
            self._chosen, self.pinned_by_option = chosen, pinned
            self._recall()
            place = self._place()
            self._files = FileWatch(_watched(place))  # what is wrong with the files can be mended while it runs
        else:
            place = find_place(chosen, os.environ)
        reading = self._read_first(place)
        _check_pin(pinned, reading.setup.settings)
        self._chosen, self.pinned_by_option = chosen, pinned
        self._adopt(reading)
        if reading.settling:
            self._waiting = reading.sources, self._clock()

    def watch(self) -> None:
        """Begin to look at the files. Needs a running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._poll(), name="turnout: watch the configuration")

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def secrets(self) -> set[Secret]:
        """Every secret that is known now, for redaction."""
        return self.current.chain.secrets() if self.current is not None else set()

    def look(self) -> None:
        """Compare the files with what is in force and take over what is new and valid."""
        due = self._waiting is not None and self._clock() >= self._waiting[1]
        if self._files.changed() or due:
            self._follow_files()
        if self._pin.changed():
            self.follow_pin()

    def reload(self) -> bool:
        """Read the configuration now, whether its files look changed or not; True when it says something else.

        Nothing has to settle, because somebody asked for what stands there now. Raises ConfigError and then changes
        nothing.
        """
        reading = self._read(self._place())
        changed = self.current is None or reading.setup.settings != self.current.settings
        if changed:
            self._replace(reading)
        return changed

    def _follow_files(self) -> None:
        waiting, self._waiting = self._waiting, None
        try:
            reading = self._read(self._place())
        except ConfigError as error:
            logger.error("configuration not changed, the old one stays in force: %s", error)
            return
        sources = reading.sources
        if self.current is not None and (sources, reading.setup.settings) == (self._sources, self.current.settings):
            return
        now = self._clock()
        until = waiting[1] if waiting is not None and waiting[0] == sources else now + reading.settling
        if now >= until:
            self._replace(reading)
            return
        self._waiting = sources, until
        if waiting is None and reading.settling > SETTLE_LINE:
            file = sources.place.config or sources.place.dotenv
            logger.warning("%s has lost its last lines; taken over if it stays so for %g s", file, reading.settling)

    def _replace(self, reading: _Reading) -> None:
        before = self.current
        self._adopt(reading)
        settings = reading.setup.settings
        logger.info("configuration reloaded from %s", settings.file or "defaults")
        if before is not None and settings.listen != before.settings.listen:
            logger.warning("the change of listen.* takes effect at the next start")

    def _read(self, place: Place) -> _Reading:
        """What the files of a place say now. Raises ConfigError for what must not be taken over."""
        files = FileWatch(_watched(place))
        return self._checked(read_sources(place, os.environ), files)

    def _checked(self, sources: Sources, files: FileWatch) -> _Reading:
        place = sources.place
        of_same = self._sources is not None and self._sources.place.config in (None, place.config)
        settling = settling_time(self._sources, sources) if self._sources is not None and of_same else 0.0
        setup = build(settings_from(sources, os.environ), self._addresses())
        if self._guarded:
            check_keys(setup.settings)
        self._check(setup.settings)
        return _Reading(sources, setup, files, settling)

    def _read_first(self, place: Place) -> _Reading:
        """The same at a start. When the files were in force before it, an accident changes nothing here either."""
        try:
            reading = self._read(place)
        except ConfigError as error:
            if self.current is not None or self._sources is None:
                raise
            logger.error("configuration not changed, the old one stays in force: %s", error)
            return self._checked(self._sources, FileWatch(_watched(place)))
        if self._sources is None or not reading.settling:
            return reading
        return replace(self._checked(self._sources, reading.files), settling=reading.settling)

    def _recall(self) -> None:
        """Take up what a LiveSetup before this one had in force, if the same configuration is chosen."""
        before = self.memory.get(_MEMORY)
        if before is None:
            return
        self._guarded = before["guarded"]
        if before["chosen"] == self._chosen:
            place = Place(**{field.name: before[field.name] for field in fields(Place)})
            self._sources = sources_of(place, before["config_text"], before["dotenv_text"], os.environ)

    def _remember(self, sources: Sources) -> None:
        self.memory[_MEMORY] = {
            "chosen": self._chosen,
            "guarded": self._guarded,
            **{field.name: getattr(sources.place, field.name) for field in fields(Place)},
            "config_text": sources.config_text,
            "dotenv_text": sources.dotenv_text,
        }

    def _place(self) -> Place:
        """The files in force, wherever others may have appeared; without a config file, those that are there now."""
        if self._sources is None:
            return find_place(self._chosen, os.environ)
        place = self._sources.place
        if place.config is not None:
            return place
        try:
            found = find_place(self._chosen, os.environ)
        except FileNotFoundError:  # the working directory is gone
            return place
        return found if found.dotenv == place.dotenv or not self._sources.variables else place

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            try:
                self.look()
            except Exception as error:  # the watch must go on, whatever one look ran into
                logger.warning("the configuration could not be looked at: %s: %s", type(error).__name__, error)

    def _adopt(self, reading: _Reading) -> None:
        setup = reading.setup
        self.current, self._sources, self._files, self._waiting = setup, reading.sources, reading.files, None
        self._guarded = bool(setup.settings.access.keys)
        self._remember(reading.sources)
        self._pin = FileWatch((pin_file(os.environ),))
        self._on_change(setup)
        self._warn([*exposed_secrets(setup.settings), *warnings(setup.settings), *setup.ways.warnings])
        self.follow_pin()

    def _warn(self, warnings: list[str]) -> None:
        """Each is told when it appears; a reload does not repeat it."""
        for warning in warnings:
            if warning not in self._warnings:
                logger.warning("%s", warning)
        self._warnings = warnings

    def follow_pin(self) -> None:
        """Pin what is to be pinned now: the option outranks the file that `turnout switch` writes."""
        if self.current is None:
            return
        pinned = self.pinned_by_option or read_pin(pin_file(os.environ))
        try:
            _check_pin(pinned, self.current.settings)
        except ConfigError as error:
            logger.warning("provider not pinned: %s", error)
            pinned = None
        self._on_pin(pinned)


def _watched(place: Place) -> tuple[Path, ...]:
    """The files that a place is made of, or where some may appear; and the list of those that are trusted."""
    users = config_directory(os.environ) / CONFIG_NAME
    config = (place.config,) if place.config is not None else (place.dotenv.parent / CONFIG_NAME, users)
    return (*config, place.dotenv, trust_file(os.environ))


def _check_pin(pinned: str | None, settings: Settings) -> None:
    if pinned is not None and pinned not in settings.providers:
        known = ", ".join(settings.providers)
        reason = f"{pinned!r} is not a configured provider"
        raise ConfigError(reason, key="turnout_provider", suggestion=f"Known: {known}")
