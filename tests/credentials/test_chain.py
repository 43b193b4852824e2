from __future__ import annotations

import asyncio
import logging
import re
import time
from pathlib import Path

import pytest

from tests.credentials.conftest import (
    CLIENT_KEY,
    CLIENT_TOKEN,
    NOW,
    OWN_TOKEN,
    Clock,
    FakeKeyring,
    MakeChain,
    login,
    preset,
    write_login,
)
from turnout.credentials.chain import NO_KEY, Credential, CredentialChain
from turnout.redaction.secret import Secret
from turnout.settings.model import Provider

ENTRY = ("Claude Code-credentials", "ada")
BY_CLIENT = {"authorization": f"Bearer {CLIENT_TOKEN}"}


def labels(credentials: list[Credential]) -> list[str]:
    return [credential.label for credential in credentials]


async def test_the_real_key_comes_first_and_the_client_second(make_chain: MakeChain, home: Path) -> None:
    """A8, DESIGN §5"""
    write_login(home / ".claude")
    chain = make_chain(REAL_ANTHROPIC_API_KEY="sk-ant-api03-real")
    found = await chain.resolve(preset("anthropic"), BY_CLIENT)
    assert found == [
        Credential("env:REAL_ANTHROPIC_API_KEY", Secret("sk-ant-api03-real"), True, False, "x-api-key"),
        Credential("client", Secret(CLIENT_TOKEN), False, True, "authorization"),
    ]


async def test_without_a_client_credential_the_login_of_the_computer_serves(
    make_chain: MakeChain, home: Path, ring: FakeKeyring
) -> None:
    """A8, CCP-05: the Keychain before the file."""
    write_login(home / ".claude")
    ring.entries[ENTRY] = login("sk-ant-oat01-keychain")
    found = await make_chain(platform="darwin").resolve(preset("anthropic"), {"x-api-key": "proxy-managed"})
    assert labels(found) == ["keychain", "file"]
    assert [credential.secret for credential in found] == [Secret("sk-ant-oat01-keychain"), Secret(OWN_TOKEN)]
    assert found[0] == Credential("keychain", Secret("sk-ant-oat01-keychain"), True, True, "authorization")


@pytest.mark.parametrize("credentials", [["client", "keychain", "file"], ["keychain", "file", "client"]])
async def test_a_genuine_client_credential_outranks_the_login_of_the_computer(
    make_chain: MakeChain, home: Path, ring: FakeKeyring, credentials: list[str]
) -> None:
    """A8, DESIGN §5: in whatever order they stand, and without a look at the stores."""
    write_login(home / ".claude")
    ring.entries[ENTRY] = login()
    provider = preset("anthropic", credentials=credentials)
    assert labels(await make_chain(platform="darwin").resolve(provider, BY_CLIENT)) == ["client"]
    assert ring.asked == []


async def test_a_provider_that_does_not_take_client_credentials_keeps_to_the_login(
    make_chain: MakeChain, home: Path
) -> None:
    write_login(home / ".claude")
    provider = preset("anthropic", credentials=["file"])
    assert labels(await make_chain().resolve(provider, BY_CLIENT)) == ["file"]


async def test_nothing_found_is_an_empty_list(make_chain: MakeChain) -> None:
    """A8: the caller answers 401."""
    assert await make_chain().resolve(preset("anthropic"), {"x-api-key": "proxy-managed"}) == []


@pytest.mark.parametrize("provider", [preset("ollama"), preset("minimax", credentials=[]), preset("vllm")])
async def test_a_provider_without_keys_gets_none(make_chain: MakeChain, provider: Provider) -> None:
    found = await make_chain().resolve(provider, BY_CLIENT)
    assert found == [NO_KEY] == [Credential("none", None, True, False, "")]
    assert found[0].headers() == {} and found[0].fingerprint == "none"


async def test_auth_none_sends_no_key_even_when_there_is_one(make_chain: MakeChain) -> None:
    provider = preset("ollama", credentials=["env:KEY", "client"])
    assert await make_chain(KEY="key").resolve(provider, BY_CLIENT) == [NO_KEY]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("anthropic", "sk-ant-api03-x", {"x-api-key": "sk-ant-api03-x"}),
        ("anthropic", "sk-ant-oat01-x", {"authorization": "Bearer sk-ant-oat01-x"}),
        ("minimax", "eyJ-x", {"authorization": "Bearer eyJ-x"}),
        ("minimax", "sk-ant-oat01-x", {"authorization": "Bearer sk-ant-oat01-x"}),
        ("deepseek", "sk-x", {"x-api-key": "sk-x"}),
        ("deepseek-openai", "sk-x", {"authorization": "Bearer sk-x"}),
    ],
)
async def test_each_key_goes_into_the_header_of_its_provider(
    make_chain: MakeChain, name: str, value: str, expected: dict[str, str]
) -> None:
    """B1: CLAUDE_CODE_OAUTH_TOKEN goes as Bearer; only providers with an oauth_prefix know OAuth tokens."""
    provider = preset(name, credentials=["env:CLAUDE_CODE_OAUTH_TOKEN"])
    (credential,) = await make_chain(CLAUDE_CODE_OAUTH_TOKEN=value).resolve(provider, {})
    assert credential.headers() == expected
    assert credential.oauth == (name == "anthropic" and "-oat" in value)
    assert credential.fingerprint == Secret(value).fingerprint


async def test_azure_has_a_header_of_its_own(make_chain: MakeChain) -> None:
    azure = Provider(name="azure", kind="openai", base_url="https://x.example", auth="api-key", credentials=["env:KEY"])
    (credential,) = await make_chain(KEY="key-of-azure").resolve(azure, {})
    assert credential.headers() == {"api-key": "key-of-azure"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"authorization": f"Bearer {CLIENT_KEY}"}, {"authorization": f"Bearer {CLIENT_KEY}"}),
        ({"x-api-key": CLIENT_KEY}, {"x-api-key": CLIENT_KEY}),
        ({"x-api-key": CLIENT_TOKEN}, {"x-api-key": CLIENT_TOKEN}),
    ],
)
async def test_the_client_keeps_the_header_it_chose(
    make_chain: MakeChain, headers: dict[str, str], expected: dict[str, str]
) -> None:
    (credential,) = await make_chain().resolve(preset("anthropic"), headers)
    assert credential.headers() == expected and not credential.owned


async def test_several_credentials_come_in_the_order_of_the_configuration(
    make_chain: MakeChain, ring: FakeKeyring, tmp_path: Path
) -> None:
    """D5: each is a candidate; a secret found twice counts once; what is missing is left out."""
    path = tmp_path / "key"
    path.write_text("from-file\n", encoding="utf-8")
    path.chmod(0o600)
    ring.entries["svc", "ada"] = "from-keyring"
    references = ["env:B", "env:MISSING", "env:EMPTY", "env:DUMMY", f"file:{path}", "literally", "keyring:svc/ada"]
    provider = preset("minimax", credentials=[*references, "env:A", "env:B_AGAIN"])
    chain = make_chain(A="a-key", B="b-key", B_AGAIN="b-key", EMPTY=" ", DUMMY="proxy-managed")
    found = await chain.resolve(provider, {})
    assert labels(found) == ["env:B", f"file:{path}", "literal", "keyring:svc/ada", "env:A"]
    assert len({credential.fingerprint for credential in found}) == 5


async def test_a_key_of_the_client_never_reaches_a_foreign_provider(make_chain: MakeChain) -> None:
    """CCP-10, A6"""
    chain = make_chain("entrance-key")
    provider = preset("minimax", credentials=["client"])
    for key in (CLIENT_KEY, CLIENT_TOKEN, "entrance-key", "proxy-managed"):
        assert await chain.resolve(provider, {"authorization": f"Bearer {key}", "x-api-key": key}) == []
    assert labels(await chain.resolve(provider, {"x-api-key": "mm-key"})) == ["client"]


async def test_an_expired_login_is_not_used(make_chain: MakeChain, home: Path, clock: Clock) -> None:
    """A4, A7"""
    write_login(home / ".claude", login(expires_in=10))
    chain = make_chain()
    assert labels(await chain.resolve(preset("anthropic"), {})) == ["file"]
    clock.now += 10
    assert await chain.resolve(preset("anthropic"), {}) == []


async def test_a_refused_credential_is_read_again(make_chain: MakeChain, home: Path) -> None:
    """A7: dropped on a 401."""
    write_login(home / ".claude", login("sk-ant-oat01-old"))
    chain, provider = make_chain(), preset("anthropic")
    (old,) = await chain.resolve(provider, {})
    write_login(home / ".claude", login("sk-ant-oat01-new"))
    assert await chain.resolve(provider, {}) == [old]
    chain.reported_dead(old)
    (new,) = await chain.resolve(provider, {})
    assert new.secret == Secret("sk-ant-oat01-new")
    chain.reported_dead(NO_KEY)
    assert chain.secrets() == {Secret("sk-ant-oat01-old"), Secret("sk-ant-oat01-new")}


async def test_a_restart_remembers_nothing(make_chain: MakeChain, home: Path) -> None:
    """A7"""
    write_login(home / ".claude", login("sk-ant-oat01-old"))
    await make_chain().resolve(preset("anthropic"), {})
    write_login(home / ".claude", login("sk-ant-oat01-new"))
    (found,) = await make_chain().resolve(preset("anthropic"), {})
    assert found.secret == Secret("sk-ant-oat01-new")


def test_what_is_at_hand_is_resolved_without_waiting(make_chain: MakeChain) -> None:
    """Environment, literal and client keys cost no turn of the event loop."""
    chain = make_chain(KEY="sk-ant-api03-x")
    resolving = chain.resolve(preset("anthropic", credentials=["env:KEY", "sk-ant-literal", "client"]), BY_CLIENT)
    with pytest.raises(StopIteration) as ended:
        resolving.send(None)
    assert labels(ended.value.value) == ["env:KEY", "literal", "client"]


async def test_requests_at_the_same_time_read_the_keychain_once(make_chain: MakeChain, ring: FakeKeyring) -> None:
    """A7"""
    ring.entries[ENTRY] = login()
    chain, provider = make_chain(platform="darwin"), preset("anthropic")
    answers = await asyncio.gather(*(chain.resolve(provider, {}) for _ in range(10)))
    assert [labels(answer) for answer in answers] == [["keychain"]] * 10
    assert ring.asked == [ENTRY]


async def test_states_tell_people_what_was_found(
    make_chain: MakeChain, home: Path, ring: FakeKeyring, clock: Clock
) -> None:
    ring.entries[ENTRY] = login(expires_in=60)
    write_login(home / ".claude", login(expires_in=-1))
    references = ["env:A", "env:B", "env:C", "client", "keychain", "file", "keyring:svc/ada", "literally", "dummy"]
    provider = preset("anthropic", credentials=[*references, "file:/nowhere/key"])
    chain = make_chain(platform="darwin", A="a-key", C="proxy-managed")
    assert await chain.states(provider) == [
        ("env:A", "set"),
        ("env:B", "missing"),
        ("env:C", "missing"),
        ("client", "from the client"),
        ("keychain", "found, expires " + time.strftime("%H:%M", time.localtime(NOW + 60))),
        ("file", "expired"),
        ("keyring:svc/ada", "not found"),
        ("literal", "set"),
        ("literal", "missing"),
        ("file:/nowhere/key", "not found"),
    ]
    assert await chain.states(preset("ollama")) == [("none", "no key needed")]


async def test_what_is_at_hand_asks_no_store(make_chain: MakeChain, home: Path, ring: FakeKeyring) -> None:
    ring.entries["svc", "ada"] = "from-the-ring"
    provider = preset("anthropic", credentials=["env:A", "keyring:svc/ada", "client"])
    chain = make_chain(A="a-key")
    unread = [("env:A", "set"), ("keyring:svc/ada", "not read yet"), ("client", "from the client")]
    assert chain.states_at_hand(provider) == unread
    assert chain.labels_at_hand(provider) == {Secret("a-key").fingerprint: "env:A"}
    await chain.states(provider)
    assert chain.states_at_hand(provider)[1] == ("keyring:svc/ada", "found")
    assert chain.labels_at_hand(provider)[Secret("from-the-ring").fingerprint] == "keyring:svc/ada"
    assert chain.labels_at_hand(preset("ollama")) == {"none": "none"}


async def test_the_day_is_told_when_it_is_not_today(make_chain: MakeChain, home: Path) -> None:
    write_login(home / ".claude", login(expires_in=30 * 86400))
    ((_, state),) = await make_chain().states(preset("anthropic", credentials=["file"]))
    assert state == "found, expires " + time.strftime("%Y-%m-%d %H:%M", time.localtime(NOW + 30 * 86400))


async def test_every_secret_met_is_known_for_redaction(make_chain: MakeChain, home: Path) -> None:
    write_login(home / ".claude")
    chain = make_chain("entrance-key", "", REAL_ANTHROPIC_API_KEY="sk-ant-api03-real")
    assert chain.secrets() == {Secret("entrance-key")}
    await chain.resolve(preset("anthropic"), {})
    await chain.resolve(preset("anthropic"), BY_CLIENT)
    expected = {"entrance-key", "sk-ant-api03-real", OWN_TOKEN, CLIENT_TOKEN}
    assert {secret.reveal() for secret in chain.secrets()} == expected


async def test_clients_cannot_fill_the_memory(make_chain: MakeChain) -> None:
    chain = make_chain()
    for number in range(200):
        await chain.resolve(preset("anthropic"), {"x-api-key": f"sk-ant-api03-{number:03}"})
        await chain.resolve(preset("anthropic"), {"x-api-key": "sk-ant-api03-199"})
    assert len(chain.secrets()) == 64
    assert Secret("sk-ant-api03-199") in chain.secrets() and Secret("sk-ant-api03-000") not in chain.secrets()


async def test_no_secret_is_shown_anywhere(
    make_chain: MakeChain, home: Path, ring: FakeKeyring, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """C7: neither in repr and str of what this room makes, nor in the log, also when something is wrong."""
    caplog.set_level(logging.DEBUG)
    write_login(home / ".claude")
    ring.entries.update({ENTRY: '{"claudeAiOauth":"visible-1"}', ("svc", "ada"): "visible-2"})
    path = tmp_path / "key"
    path.write_text("visible-3", encoding="utf-8")
    path.chmod(0o644)
    references = ["env:A", "env:B", "keychain", "file", "keyring:svc/ada", f"file:{path}", "visible-4"]
    provider = preset("anthropic", credentials=references)
    chain = make_chain("visible-5", platform="darwin", A="visible-6", B="visible-7\nx: y")
    found = await chain.resolve(provider, {"x-api-key": "sk-ant-visible-8"})
    assert labels(found) == ["env:A", "file", "keyring:svc/ada", f"file:{path}", "literal"]
    shown = [chain, chain.secrets(), *found, *(credential.fingerprint for credential in found)]
    shown += [await chain.states(provider), *vars(chain).values(), *vars(chain._stores).values()]
    text = caplog.text + "".join(f"{thing!r} {thing!s}" for thing in shown)
    assert len(caplog.records) == 3, "keychain malformed, env:B unusable, file readable by others"
    assert "visible" not in text and OWN_TOKEN not in text and "refresh" not in text


def test_the_chain_works_with_its_defaults() -> None:
    chain = CredentialChain({"MINIMAX_API_KEY": Secret("key")})
    assert labels(asyncio.run(chain.resolve(preset("minimax"), {}))) == ["env:MINIMAX_API_KEY"]


FORBIDDEN = re.compile(r"create_api_key|\bgh[\"',\s]+auth[\"',\s]+token")


@pytest.mark.parametrize(
    "text", ["POST /api/oauth/claude_cli/create_api_key", "gh auth token", '["gh", "auth", "token"]']
)
def test_the_scan_below_finds_what_it_looks_for(text: str) -> None:
    assert FORBIDDEN.search(text)


def test_no_key_is_created_or_borrowed() -> None:
    """A17: CCP-03 no create_api_key, CCP-07 no gh auth token, anywhere in the sources."""
    addon = Path(__file__).parents[2] / "addon"
    sources = [path for path in addon.rglob("*") if path.suffix in (".py", ".toml")]
    assert addon / "turnout/credentials/chain.py" in sources
    assert [path for path in sources if FORBIDDEN.search(path.read_text(encoding="utf-8"))] == []
