from __future__ import annotations

import getpass
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.credentials.conftest import NOW, OWN_TOKEN, login, unhurried
from turnout.credentials.claude_code import (
    OAuthLogin,
    credentials_file,
    keychain_account,
    keychain_service,
    parse_login,
)
from turnout.errors import CredentialError
from turnout.redaction.secret import Secret


def test_the_keychain_entry_has_a_space_and_capitals() -> None:
    """A3, CCP-04"""
    assert keychain_service({}) == "Claude Code-credentials"
    assert keychain_service({"CLAUDE_CONFIG_DIR": Secret("")}) == "Claude Code-credentials"


def test_a_config_directory_has_a_keychain_entry_of_its_own() -> None:
    """A3: the directory counts as it is written, not as it resolves."""
    suffix = hashlib.sha256(b"/tmp/my claude/").hexdigest()[:8]
    assert keychain_service({"CLAUDE_CONFIG_DIR": Secret("/tmp/my claude/")}) == f"Claude Code-credentials-{suffix}"


def test_the_account_is_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """A3"""
    monkeypatch.setenv("LOGNAME", "lovelace")
    assert keychain_account({"USER": Secret("ada")}) == "ada"
    assert keychain_account({}) == "lovelace"


def test_a_computer_that_knows_no_user_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nobody)
    with pytest.raises(CredentialError, match="set USER"):
        keychain_account({})


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HOME": "/home/ada"}, Path("/home/ada/.claude/.credentials.json")),
        ({"HOME": "/home/ada", "CLAUDE_CONFIG_DIR": ""}, Path("/home/ada/.claude/.credentials.json")),
        ({"HOME": "/home/ada", "CLAUDE_CONFIG_DIR": "/etc/claude"}, Path("/etc/claude/.credentials.json")),
        ({}, Path.home() / ".claude/.credentials.json"),
    ],
)
def test_the_file_lies_in_the_config_directory(environment: dict[str, str], expected: Path) -> None:
    """A8"""
    assert credentials_file({name: Secret(value) for name, value in environment.items()}) == expected


def test_the_login_is_read_beside_other_keys() -> None:
    """A4: expiresAt is in milliseconds; other top-level keys may sit beside the login."""
    assert parse_login(login(expires_in=60).encode()) == OAuthLogin(Secret(OWN_TOKEN), NOW + 60)


@pytest.mark.parametrize("end", [{}, {"expiresAt": None}])
def test_a_login_without_an_end_lasts(end: dict[str, None]) -> None:
    """A4"""
    document = json.dumps({"claudeAiOauth": {"accessToken": OWN_TOKEN, **end}})
    assert parse_login(document.encode()) == OAuthLogin(Secret(OWN_TOKEN), None)


@pytest.mark.parametrize(
    "document",
    ["{}", '{"claudeAiOauth":null}', '{"claudeAiOauth":{}}', '{"claudeAiOauth":{"accessToken":""}}', '{"mcpOAuth":{}}'],
)
def test_nobody_logged_in_is_no_error(document: str) -> None:
    assert parse_login(document.encode()) is None


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"claudeAiOauth":"sk-ant-oat01-leak"}',
        b'{"claudeAiOauth":{"accessToken":17}}',
        b'{"claudeAiOauth":{"accessToken":"sk-ant-oat01-leak","expiresAt":"tomorrow"}}',
        b'{"claudeAiOauth":{"accessToken":"sk-ant-oat01-leak\\nx-evil: 1"}}',
        b'{"other":' + b"[" * 100_000,
    ],
)
def test_a_document_of_another_shape_is_refused_without_its_content(document: bytes) -> None:
    with pytest.raises(CredentialError) as caught:
        parse_login(document)
    assert "not a login of Claude Code" in str(caught.value)
    assert "leak" not in str(caught.value) and caught.value.__suppress_context__


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@unhurried
@given(st.dictionaries(st.sampled_from(["accessToken", "expiresAt", "scopes", "other"]), json_values))
def test_any_login_object_is_read_or_refused(fields: dict[str, object]) -> None:
    try:
        found = parse_login(json.dumps({"claudeAiOauth": fields}).encode())
    except CredentialError:
        return
    token = fields.get("accessToken", "")
    assert isinstance(token, str)
    if found is not None:
        assert found.access_token.reveal() == token.strip()


@unhurried
@given(st.binary())
def test_any_bytes_are_read_or_refused(document: bytes) -> None:
    try:
        assert parse_login(document) is None
    except CredentialError as error:
        assert "not a login" in str(error)
