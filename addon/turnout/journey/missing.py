"""What a provider without a credential was looked through for, and what a user can do about it."""

from __future__ import annotations

from collections.abc import Iterator

from turnout.settings.folder import why_withheld
from turnout.settings.model import Provider, Settings
from turnout.settings.places import dotenv_file
from turnout.settings.toml_lines import toml_key


def looked_for(provider: Provider) -> str:
    """The credentials of a provider that has none to use, and those that it does not get."""
    withheld = f"withheld: {', '.join(provider.withheld)}" if provider.withheld else ""
    return "; ".join(filter(None, (", ".join(map(str, provider.credentials)), withheld)))


def remedy(settings: Settings, provider: Provider) -> str:
    """What to do that the provider has one, as a sentence with its full stop."""
    if provider.withheld:
        return f"{why_withheld(settings)}."
    ways = list(_ways(settings, provider))
    if not ways:
        key = f"providers.{toml_key(provider.name)}.credentials"
        return f'Name one in {settings.file or "mitm.conf"}: {key} = "env:NAME".'
    told = ", or ".join(ways)
    return f"{told[:1].upper()}{told[1:]}."


def _ways(settings: Settings, provider: Provider) -> Iterator[str]:
    sources = {reference.source for reference in provider.credentials}
    if sources & {"keychain", "file"}:
        yield "log in with Claude Code"
    elif "client" in sources:
        yield f"have the client send a key of {provider.host}"
    variables = [reference.name for reference in provider.credentials if reference.source == "env"]
    if variables:
        yield f"set {' or '.join(variables)} in the environment or in {dotenv_file(settings.file)}"
    stores = [str(reference) for reference in provider.credentials if reference.source in ("keyring", "path")]
    if stores:
        yield f"put a key into {' or '.join(stores)}"
