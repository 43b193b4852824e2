"""The configuration in force: loaded at start, swapped as a whole when its files change and are valid."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

from turnout.credentials.chain import CredentialChain
from turnout.errors import ConfigError
from turnout.gate.access import Gatekeeper, client_keys
from turnout.journey.state import Setup
from turnout.settings.exposure import exposed_secrets
from turnout.settings.load import load
from turnout.settings.model import Settings
from turnout.settings.pin import read_pin
from turnout.settings.places import CONFIG_NAME, config_directory, dotenv_file, pin_file
from turnout.settings.secret import Secret
from turnout.settings.watch import FileWatch

logger = logging.getLogger("turnout")

POLL = 1.0
"""Seconds between two looks at the files."""


def build(settings: Settings) -> Setup:
    """Everything that is made of settings. Raises ConfigError."""
    keys = client_keys(settings)
    access = settings.access.model_copy(update={"hosts": (*settings.access.hosts, settings.listen.host)})
    return Setup(settings, Gatekeeper(access, keys), CredentialChain(settings.environment, keys))


class LiveSetup:
    """Loads the setup and keeps it up to date. `on_change` is called with every new one, never with an invalid one.

    `check` raises ConfigError for settings that are valid in themselves, but not where the proxy listens now.
    """

    def __init__(
        self,
        check: Callable[[Settings], None],
        on_change: Callable[[Setup], None],
        on_pin: Callable[[str | None], None],
    ) -> None:
        self._check = check
        self._on_change = on_change
        self._on_pin = on_pin
        self.current: Setup | None = None
        """What is in force; None until a valid configuration was found."""
        self.pinned_by_option: str | None = None
        """The provider named by the option `turnout_provider`, which outranks the pin file."""
        self._chosen: str | None = None
        self._files = FileWatch(())
        self._pin = FileWatch(())
        self._warnings: list[str] = []
        self._task: asyncio.Task[None] | None = None

    def start(self, chosen: str | None, pinned: str | None) -> None:
        """Load for the first time, or anew after an option changed. Raises ConfigError and then changes nothing."""
        setup = self._load(chosen)
        _check_pin(pinned, setup.settings)
        self._chosen, self.pinned_by_option = chosen, pinned
        self._adopt(setup)

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
        if self._files.changed():
            try:
                setup = self._load(self._chosen)
            except ConfigError as error:
                logger.error("configuration not changed, the old one stays in force: %s", error)
            else:
                self._replace(setup)
        if self._pin.changed():
            self.follow_pin()

    def reload(self) -> bool:
        """Read the configuration now, whether its files look changed or not; True when it says something else.

        Raises ConfigError and then changes nothing.
        """
        setup = self._load(self._chosen)
        changed = self.current is None or setup.settings != self.current.settings
        if changed:
            self._replace(setup)
        return changed

    def _replace(self, setup: Setup) -> None:
        before = self.current
        self._adopt(setup)
        logger.info("configuration reloaded from %s", setup.settings.file or "defaults")
        if before is not None and setup.settings.listen != before.settings.listen:
            logger.warning("the change of listen.* takes effect at the next start")

    def _load(self, chosen: str | None) -> Setup:
        setup = build(load(chosen))
        self._check(setup.settings)
        return setup

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            try:
                self.look()
            except Exception as error:  # the watch must go on, whatever one look ran into
                logger.warning("the configuration could not be looked at: %s: %s", type(error).__name__, error)

    def _adopt(self, setup: Setup) -> None:
        self.current = setup
        file = setup.settings.file
        candidates = (Path.cwd() / CONFIG_NAME, config_directory(os.environ) / CONFIG_NAME)
        watched = (file,) if file else candidates
        self._files = FileWatch((*watched, dotenv_file(file)))
        self._pin = FileWatch((pin_file(os.environ),))
        self._on_change(setup)
        self._warn(exposed_secrets(setup.settings))
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


def _check_pin(pinned: str | None, settings: Settings) -> None:
    if pinned is not None and pinned not in settings.providers:
        known = ", ".join(settings.providers)
        reason = f"{pinned!r} is not a configured provider"
        raise ConfigError(reason, key="turnout_provider", suggestion=f"Known: {known}")
