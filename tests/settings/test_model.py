"""What a configuration may say."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from turnout.health.verdict import Verdict
from turnout.redaction.secret import Secret
from turnout.settings.model import Condition, Globs, Meaning, Provider, Route, Settings, UnknownProvider
from turnout.settings.reference import CredentialReference, parse_reference

GLOBS: TypeAdapter[tuple[str, ...]] = TypeAdapter(Globs)


@pytest.mark.parametrize(
    ("text", "source", "name"),
    [
        ("env:MINIMAX_API_KEY", "env", "MINIMAX_API_KEY"),
        (" env:X ", "env", "X"),
        ("keyring:svc/ada", "keyring", "svc/ada"),
        ("keyring:svc/ada/work", "keyring", "svc/ada/work"),
        ("file:~/key", "path", "~/key"),
        ("file:C:\\key", "path", "C:\\key"),
        ("file", "file", ""),
        ("keychain", "keychain", ""),
        ("client", "client", ""),
    ],
)
def test_references(text: str, source: str, name: str) -> None:
    reference = parse_reference(text)
    assert (reference.source, reference.name, reference.literal) == (source, name, None)
    assert str(reference) == text.strip()


@pytest.mark.parametrize("text", ["sk-ant-api03-x", "word", "ENV:X", "http://x", ":", "keychain:x", "KEY", "Key_1"])
def test_everything_else_is_a_literal_that_does_not_show(text: str) -> None:
    reference = parse_reference(text)
    assert reference.source == "literal" and reference.literal == Secret(text)
    assert str(reference) == "literal" and text not in repr(reference)


@pytest.mark.parametrize("text", ["MINIMAX_API_KEY", " KEYS ", "A1B2", "$MINE_KEY", "${MINE_KEY}"])
def test_a_variable_without_env_is_no_secret(text: str) -> None:
    with pytest.raises(ValueError, match=r"looks like the name of a variable; did you mean env:NAME\?"):
        parse_reference(text)


@pytest.mark.parametrize("value", ["", "  ", "env:", "file:", "keyring:", "keyring:svc", "keyring:/a", "keyring:s/"])
def test_incomplete_references_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="one of env:NAME"):
        parse_reference(value)


@pytest.mark.parametrize("value", [5, True, None, ["env:X"], {"source": "env", "name": "X"}])
def test_a_reference_is_text(value: object) -> None:
    with pytest.raises(ValueError, match="a credential is a string"):
        parse_reference(value)


def test_a_reference_that_is_one_already_stays() -> None:
    reference = CredentialReference(source="client")
    assert parse_reference(reference) is reference


@given(st.text())
def test_any_text_is_a_reference_or_a_value_error_without_it(text: str) -> None:
    try:
        reference = parse_reference(text)
    except ValueError as error:
        told = str(error)
        assert "a credential is one of" in told or "empty credential" in told or "did you mean env:NAME?" in told
        return
    assert isinstance(reference, CredentialReference)
    if reference.source == "literal":
        assert reference.literal is not None and reference.literal.reveal() == text.strip()
    else:
        assert str(reference) == text.strip()


@pytest.mark.parametrize(
    "pattern",
    ["*", "claude-*", "claude-opus-4-?", "opus[1m]", "*[1m]", "a[!b]c", "a[]]b", "a[!]]", "a]b", "claude-[34]-*"],
)
def test_globs(pattern: str) -> None:
    assert GLOBS.validate_python(pattern) == (pattern,)


@pytest.mark.parametrize("pattern", ["", "  ", "claude-[", "a[!", "a[]", "a[!]", "[x][", "a[1m][b"])
def test_bad_globs_are_refused(pattern: str) -> None:
    with pytest.raises(ValidationError):
        GLOBS.validate_python([pattern])


@given(st.text(max_size=20))
def test_any_accepted_glob_can_be_used(pattern: str) -> None:
    from turnout.routing.names import matches

    try:
        globs = GLOBS.validate_python(pattern)
    except ValidationError:
        return
    assert matches("claude-opus-4-6", globs) in (True, False)


def test_the_host_of_a_provider() -> None:
    assert Provider(name="x", base_url="https://Api.Example.com:8443/v1").host == "api.example.com"


def test_the_words_for_a_providers_errors_are_those_of_the_verdicts() -> None:
    assert {*get_args(Meaning), "ok", "cancelled"} == {str(verdict) for verdict in Verdict}


def test_conditions_take_one_word_or_a_list_and_the_name_class() -> None:
    condition = Condition.model_validate({"class": "main", "agent": ["Explore", "Plan*"], "tools": "web_search*"})
    assert condition.class_ == ("main",) and condition.agent == ("Explore", "Plan*")
    with pytest.raises(ValidationError):
        Condition.model_validate({"agent": "Plan["})


def test_a_target_needs_its_provider() -> None:
    with pytest.raises(UnknownProvider) as caught:
        Settings(routes=(Route(model=("*",), to=("nowhere/x",)),))
    assert (caught.value.key, caught.value.target, caught.value.known) == ("routes.0.to", "nowhere/x", ())


def test_settings_do_not_show_their_environment_or_a_literal() -> None:
    value = "not-to-be-seen"
    reference = CredentialReference(source="literal", literal=Secret(value))
    provider = Provider(name="x", base_url="https://x", credentials=(reference,))
    settings = Settings(environment={"TOKEN": Secret(value)}, providers={"x": provider})
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.environment}"
    assert value not in shown
    assert "environment" not in settings.model_dump() and "TOKEN" not in repr(settings)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().listen.port = 1  # type: ignore[misc]
