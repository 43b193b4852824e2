"""Text files that a person named: read as UTF-8, with a clear error for everything that can be wrong with them."""

from __future__ import annotations

from pathlib import Path

from turnout.errors import ConfigError


def read_text(file: Path, if_missing: str) -> str:
    """The text of the file. Raises ConfigError; `if_missing` is the suggestion when there is no such file."""
    try:
        return file.read_text(encoding="utf-8-sig")  # editors on Windows begin files with a mark
    except FileNotFoundError:
        raise ConfigError("there is no such file", file=file, suggestion=if_missing) from None
    except OSError as error:
        raise ConfigError(
            f"the file cannot be read ({error.strerror})", file=file, suggestion="Check its owner and permissions"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError("the file is not UTF-8 text", file=file, suggestion="Save it as UTF-8") from None
    except ValueError as error:  # a name that no file can have, such as one with a NUL
        raise ConfigError(f"the file cannot be read ({error})", file=file, suggestion="Check its name") from None
