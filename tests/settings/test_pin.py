"""The file with the one provider for everything, and whose names may be in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from turnout.errors import ConfigError, TurnoutError
from turnout.settings.model import Settings
from turnout.settings.pin import check_provider, lift_pin, read_pin, write_pin


@pytest.fixture
def pin(tmp_path: Path) -> Path:
    return tmp_path / "turnout" / "provider"


def test_a_pin_is_read_until_it_is_lifted(pin: Path) -> None:
    assert read_pin(pin) is None and not lift_pin(pin)
    write_pin(pin, "local")
    assert read_pin(pin) == "local"
    assert lift_pin(pin) and read_pin(pin) is None


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff"])
def test_a_file_without_a_name_is_no_pin(pin: Path, content: bytes) -> None:
    write_pin(pin, "local")
    pin.write_bytes(content)
    assert read_pin(pin) is None


def test_a_failed_write_keeps_the_old_pin(pin: Path) -> None:
    write_pin(pin, "local")
    with pytest.raises(UnicodeEncodeError):
        write_pin(pin, "\ud800")
    assert read_pin(pin) == "local"
    assert list(pin.parent.iterdir()) == [pin]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TurnoutError, match="cannot be changed .* Check the permissions"):
        write_pin(tmp_path / "file" / "provider", "local")


def test_a_name_that_is_not_configured() -> None:
    with pytest.raises(ConfigError, match="'minimax' is not a provider of the configuration"):
        check_provider("minimax", Settings())
