"""Which configuration files are the user's own, and which were only found in the folder where somebody started.

A folder may come from anywhere: a clone, an archive. Its files are the user's own once the user has named or trusted
them. The list of trusted files is in the state directory, an absolute path a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from turnout.errors import TurnoutError
from turnout.settings.places import config_directory, state_directory
from turnout.settings.writing import write_atomically


def trust_file(environment: Mapping[str, str]) -> Path:
    """The file that lists what `turnout trust` was given."""
    return state_directory(environment) / "trusted"


def trusted_files(environment: Mapping[str, str]) -> frozenset[Path]:
    """The files on the list; none when it cannot be read."""
    try:
        text = trust_file(environment).read_bytes().decode(errors="surrogateescape")
    except OSError:
        return frozenset()
    return frozenset(path for path in map(Path, text.split("\n")) if path.is_absolute())


def trust(files: Iterable[Path], environment: Mapping[str, str]) -> None:
    """Put files on the list. Raises TurnoutError when it cannot be written."""
    wanted = [place_of(file) for file in files]
    if unlisted := [file for file in wanted if "\n" in str(file)]:
        raise TurnoutError(f"{str(unlisted[0])!r} cannot be trusted: its name holds a line break")
    lines = sorted(map(str, trusted_files(environment).union(wanted)))
    file = trust_file(environment)
    try:
        write_atomically(file, "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))
    except OSError as error:
        raise TurnoutError(f"{file} cannot be changed ({error.strerror}). Check the permissions") from None


def is_own(file: Path, environment: Mapping[str, str]) -> bool:
    """Whether the file is trusted, or stands in the user's config directory."""
    place = place_of(file)
    return place.parent == config_directory(environment).absolute().resolve() or place in trusted_files(environment)


def place_of(file: Path) -> Path:
    """Where the name of the file stands, absolute.

    The file itself may be a link that is not followed: a folder can bring a link to a file of the user's own, and would
    be trusted in its place.
    """
    return file.absolute().parent.resolve() / file.name
