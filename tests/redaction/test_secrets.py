"""The one definition of what is secret: it shows itself to nobody."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from turnout.redaction import patterns
from turnout.redaction.body import without_secrets
from turnout.redaction.names import SECRET_HEADERS, credentials_of, is_secret_header, without_secret_parameters
from turnout.redaction.secret import MASK, Secret
from turnout.redaction.text import masked_path, redact

VALUE = "sk-ant-api03-value"


@pytest.mark.parametrize(
    "shown",
    [
        str(Secret(VALUE)),
        repr(Secret(VALUE)),
        f"{Secret(VALUE)}",
        f"{Secret(VALUE):>40}",
        "%s" % Secret(VALUE),  # noqa: UP031
        repr([Secret(VALUE)]),
        repr({"key": Secret(VALUE)}),
        str(pickle.loads(pickle.dumps(Secret(VALUE))).reveal()),
        copy.deepcopy(Secret(VALUE)).reveal(),
        repr(Secret(VALUE).fingerprint),
    ],
)
def test_a_secret_never_shows_itself(shown: str) -> None:
    assert VALUE not in shown and "value" not in shown


def test_reveal_is_the_way_in() -> None:
    assert Secret(VALUE).reveal() == VALUE
    assert pickle.loads(pickle.dumps(Secret(VALUE))).reveal() == MASK


def test_equality_hash_and_truth() -> None:
    assert Secret("a") == Secret("a") and hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b") and Secret("a") != "a"
    assert Secret("a") and not Secret("")


@pytest.mark.parametrize("value", ["a", "", "ä", "\udcff from os.environ", "\ud800"])
def test_fingerprints_name_a_value(value: str) -> None:
    fingerprint = Secret(value).fingerprint
    assert len(fingerprint) == 12 and int(fingerprint, 16) >= 0
    assert fingerprint == Secret(value).fingerprint != Secret(value + "x").fingerprint


HEX = "0123456789abcdef"
MIXED = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5hJ7kL9"

SHAPES = {
    "anthropic key": f"sk-ant-api03-{MIXED}-_AA",
    "anthropic login": f"sk-ant-oat01-{MIXED}",
    "anthropic refresh": f"sk-ant-ort01-{MIXED}",
    "anthropic admin": f"sk-ant-admin01-{MIXED}",
    "anthropic session": f"sk-ant-sid01-{MIXED}",
    "openai": f"sk-{MIXED}",
    "openai project": f"sk-proj-{MIXED}_{MIXED}",
    "openai service": f"sk-svcacct-{MIXED}",
    "openrouter": f"sk-or-v1-{HEX}{HEX}",
    "deepseek, dashscope": f"sk-{HEX}{HEX}",
    "minimax": f"sk-cp-{MIXED}",
    "kimi": f"sk-kimi-{MIXED}",
    "litellm": "sk-aBcDe_fGhIjKlMnO-pQrSt",
    "cerebras": f"csk-{HEX}{HEX}",
    "xai": f"xai-{MIXED}{MIXED}",
    "perplexity": f"pplx-{MIXED}",
    "nvidia": f"nvapi-{MIXED}",
    "tavily": f"tvly-dev-{MIXED}",
    "gitlab": f"glpat-{MIXED[:20]}",
    "google client": f"GOCSPX-{MIXED[:28]}",
    "groq": f"gsk_{MIXED}",
    "hugging face": "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "replicate": f"r8_{MIXED[:37]}",
    "fireworks": f"fw_{MIXED[:24]}",
    "npm": f"npm_{MIXED[:36]}",
    "github": f"ghp_{MIXED[:36]}",
    "github app": f"gho_{MIXED[:36]}",
    "github fine": f"github_pat_{MIXED[:22]}_{MIXED}",
    "together": f"tgp_v1_{MIXED}",
    "stripe": f"sk_live_{MIXED[:24]}",
    "slack": "xoxb-123456789012-123456789012-aBcDeFgHiJkL",
    "slack app": "xapp-1-A0123456789-0123456789012-" + HEX,
    "google access": f"ya29.a0{MIXED}",
    "google refresh": f"1//0e{MIXED}",
    "pypi": f"pypi-AgEIcHlwaS5vcmc{MIXED}",
    "jwt": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "jwe": f"eyJhbGciOiJkaXIifQ.{MIXED}.{MIXED}.{MIXED}.{MIXED[:22]}",
    "aws id": "AKIAIOSFODNN7EXAMPLE",
    "aws temporary id": "ASIAIOSFODNN7EXAMPLE",
    "google key": f"AIzaSy{MIXED[:33]}",
    "aws session": f"IQoJb3JpZ2luX2VjE{MIXED}//////////{MIXED}==",
    "bedrock": f"ABSKQmVkcm9ja0FQSUtleS{MIXED}=",
}
"""One of each kind, none of them real."""

IN_CONTEXT = [
    ("Authorization: bearer abcdefgh.ijk=", "Authorization: bearer ***"),
    (f"-H 'authorization: Basic {MIXED}'", "-H 'authorization: Basic ***'"),
    ('{"Authorization": "Bearer an-opaque-one"}', '{"Authorization": "Bearer ***"}'),
    (r"{\"authorization\": \"token opaque-one\"}", r"{\"authorization\": \"token ***\"}"),
    ("sent Bearer abcdefgh12.", "sent Bearer ***"),
    ('{"a": "Bearer 1234567890123"}', '{"a": "Bearer ***"}'),
    (f"bearer {HEX}", "bearer ***"),
    ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic ***"),
    (f"MISTRAL_API_KEY={MIXED}", "MISTRAL_API_KEY=***"),
    (f'export AZURE_API_KEY="{HEX}{HEX}"', 'export AZURE_API_KEY="***"'),
    (f'"access_token": "{MIXED}"', '"access_token": "***"'),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws_secret_access_key = ***"),
    (f"?X-Amz-Signature={HEX * 4}&a=b", "?X-Amz-Signature=***&a=b"),
    (f"?sv=1&sig={MIXED}%3D", "?sv=1&sig=***"),
    ("postgres://ada:hunter2@db/x", "postgres://ada:***@db/x"),
    ("https://:tok3n-value@host", "https://:***@host"),
    (
        f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{MIXED}\n{MIXED}\n{HEX[:9]}\n-----END RSA",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n***\n-----END RSA",
    ),
    (
        rf'"-----BEGIN PRIVATE KEY-----\\n{MIXED}\\n{MIXED}=\\n-----END',
        r'"-----BEGIN PRIVATE KEY-----\\n***\\n-----END',
    ),
]

HARMLESS = [
    "",
    "the task-force asked for sk-x",
    "task-budgets-2026-03-13",
    "risk-management-of-things and disk-1234567890-abc",
    "task-ant-colony-optimisation, sk-container-id-1, .sk-loading-spinner",
    "bearer authentication, Bearer tokens, the bearer of news",
    'headers = {"Authorization": f"Bearer {token}"}',
    "Authorization: Bearer $TOKEN",
    'os.environ["ANTHROPIC_API_KEY"], api_key=settings.api_key, apiKey: process.env.OPENAI_API_KEY',
    "max_tokens: 12345678901234567890123, access_token: string",
    "npm_config_registry hf_hub_download_with_retries gsk_ ghp_",
    "reverse:http://127.0.0.1:4711@127.0.0.1:8082",
    "https://ada@host:8080/x:y@z, git@github.com:a/b.git, https://${USER}:${PASSWORD}@host",
    "4e1fa0c3b2d14e1fa0c3b2d14e1fa0c3b2d14e1f 9840cf6b-3739-47ed-a8df-5469480d39ed",
    'if "-----BEGIN RSA PRIVATE KEY-----" in text: return find_the_longest_key_of_all',
    "req_011CSHoEeqs5C35K2UUqR7Fy msg_01XFDUDYJgAACzvnptvVoYEL toolu_01A09q90qw90lq917835lq9",
    "eyJ is how base64 of {\" begins: eyJhbGciOiJSUzI1NiJ9",
    "Basic understanding=needed, basic configuration=1",
    '{"api_key": 12345678901234567890123, "access_token": -1e10000000000000000000}',
]


@pytest.mark.parametrize("value", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("around", ["{}", "key {} refused", '"{}"', "KEY={},", r"a\n{}\n", r"é\u00e9{}", "x%3D{}&"])
def test_every_kind_of_secret_is_found_and_nothing_of_it_left(value: str, around: str) -> None:
    text = around.format(value)
    assert redact(text) == around.format(MASK)
    assert without_secrets(text.encode()) == text.replace(value, "*" * len(value)).encode()


@pytest.mark.parametrize(("text", "kept"), IN_CONTEXT)
def test_what_surroundings_give_away_is_redacted(text: str, kept: str) -> None:
    assert redact(text) == kept
    starred = without_secrets(text.encode())
    assert len(starred) == len(text) and re.sub(rb"\*+", b"***", starred).decode() == kept


@pytest.mark.parametrize("text", HARMLESS)
def test_code_and_prose_are_left_alone(text: str) -> None:
    data = text.encode()
    assert redact(text) == text
    assert without_secrets(data) is data


@given(st.binary(min_size=200, max_size=600), st.booleans())
def test_signatures_and_images_survive(content: bytes, for_urls: bool) -> None:
    """Opaque base64 in a message goes on being valid, whatever it happens to spell in the middle."""
    encode = base64.urlsafe_b64encode if for_urls else base64.b64encode
    for chance in (b"AKIAIOSFODNN7EXAMPLE", b"AIza" + b"a" * 35, b"sk4AKIAIOSFODNN7EXAMPLE"):
        opaque = encode(content)
        data = b'{"signature":"' + opaque[:100] + chance + opaque[100:] + b'"}'
        assert without_secrets(data) is data


pieces = st.sampled_from(
    [*SHAPES.values(), *(text for text, _ in IN_CONTEXT), *HARMLESS]
    + ["sk-", "Bearer ", "\n", '"', "\\", "é", "n", "\ud800", "\xa0"]
)
texts = st.lists(pieces | st.text(max_size=5), max_size=8).map("".join)


@given(texts)
def test_the_quick_look_misses_nothing(text: str) -> None:
    """redact and without_secrets ask a second engine whether there is anything; it must never say no wrongly."""
    assert patterns.suspicious()(text) or not patterns._secret_text().search(text)


@example("AKIAIOSFODNN7EXAMPLEsk-" + MIXED, False, [])
@given(texts, st.booleans(), st.lists(st.text(min_size=8, max_size=12) | pieces, max_size=3))
def test_json_stays_valid_and_of_the_same_length(text: str, ascii: bool, known: list[str]) -> None:
    body = {"text": text, "inner": json.dumps({"deeper": text}), "n": 1.2345678901, "key": [123456789012, None, True]}
    data = json.dumps(body, ensure_ascii=ascii).encode(errors="surrogatepass")
    starred = without_secrets(data, map(Secret, known))
    assert len(starred) == len(data)
    assert json.loads(starred.decode(errors="surrogatepass")).keys() == body.keys()
    assert without_secrets(starred) is starred


@given(st.integers(0, 40_000), st.sampled_from([*SHAPES.values(), *(text for text, _ in IN_CONTEXT)]))
def test_a_secret_is_found_wherever_it_stands_in_a_long_body(offset: int, value: str) -> None:
    data = b" " * offset + value.encode() + b" " * (40_000 - offset)
    assert without_secrets(data) == b" " * offset + without_secrets(value.encode()) + b" " * (40_000 - offset)


def test_a_key_longer_than_a_window_goes_as_a_whole() -> None:
    lines = "\n".join(["QUJD" * 16] * 600)
    data = f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----".encode()
    assert b"QUJD" not in without_secrets(data)


@pytest.mark.parametrize(
    ("data", "known", "starred"),
    [
        (b'{"a":"x opaque-key y opaque-key"}', "opaque-key", b'{"a":"x ********** y **********"}'),
        (b'{"a":12345678}', "12345678", b'{"a":11111111}'),
        (b'{"a":"\\nnever-mind"}', "nnever-mind", b'{"a":"\\n**********"}'),
        (b'{"a":"quoted\\"key"}', 'quoted"key', b'{"a":"***********"}'),
        ("schlüssel".encode(), "schlüssel", b"**********"),
        (b"schl\\u00fcssel", "schlüssel", b"**************"),
        (b"a short one is a word", "short", b"a short one is a word"),
    ],
)
def test_known_secrets(data: bytes, known: str, starred: bytes) -> None:
    assert without_secrets(data, [Secret(known), Secret("")]) == starred


def test_a_harmless_body_of_a_megabyte_and_a_half_is_read_in_passing() -> None:
    """Milliseconds: about 1.2 when nothing else runs; Python's own engine takes 350."""
    source = Path(json.__file__).with_name("decoder.py").read_text() + " task-list é risk-analysis "
    body = json.dumps({"messages": [{"role": "user", "content": source * 120}]}, ensure_ascii=False).encode()
    known = [Secret(f"sk-ant-api03-{MIXED}{number}") for number in range(3)]
    took = []
    for _ in range(7):
        before = time.process_time()
        assert without_secrets(body, known) is body
        took.append(time.process_time() - before)
    assert len(body) > 1_400_000
    assert min(took) < 0.05


def test_a_secret_inside_another_leaves_no_rest() -> None:
    """A replaced part would leave the remainder of the longer one to be read."""
    known = [Secret("abcdefgh"), Secret("abcdefgh-ijklmnop")]
    for order in (known, known[::-1]):
        assert redact("the key abcdefgh-ijklmnop", order) == f"the key {MASK}"


def test_an_empty_secret_redacts_nothing() -> None:
    assert redact("text", [Secret("")]) == "text"


_ALPHABET = "abcXYZ019-_ "


@given(
    st.lists(st.text("abc019-", min_size=3, max_size=12), min_size=1, max_size=4),
    st.lists(st.text(_ALPHABET, max_size=8), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_no_known_secret_gets_through(secrets: list[str], words: list[str], random: object) -> None:
    text = "".join(word + random.choice(secrets) for word in words)  # type: ignore[attr-defined]
    redacted = redact(text, map(Secret, secrets))
    assert not [secret for secret in secrets if secret in redacted]


def test_secret_headers_are_lower_case() -> None:
    assert {"authorization", "x-api-key", "cookie", "anthropic-workspace-id"} <= SECRET_HEADERS
    assert all(name == name.lower() for name in SECRET_HEADERS)


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("Authorization", True),
        ("Anthropic-Workspace-Id", True),
        ("helicone-auth", True),
        ("cf-aig-authorization", True),
        ("x-portkey-api-key", True),
        ("Ocp-Apim-Subscription-Key", True),
        ("x-my-secret", True),
        ("x-forwarded-client-cert", True),
        ("anthropic-ratelimit-input-tokens-limit", False),
        ("sec-websocket-key", False),
        ("idempotency-key", False),
        ("content-type", False),
        ("author", False),
    ],
)
def test_headers_of_gateways_are_secret_too(name: str, secret: bool) -> None:
    assert is_secret_header(name) is secret


@pytest.mark.parametrize(
    ("path", "masked"),
    [
        ("/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("/v1/messages", "/v1/messages"),
        ("/v?key=abc&a=1&Api-Key=x&access%5Ftoken=y;code=z", "/v?key=***&a=1&Api-Key=***&access%5Ftoken=***;code=***"),
        ("/x?X-Amz-Security-Token=a%2Fb&a=1&sig=&token", "/x?X-Amz-Security-Token=***&a=1&sig=&token"),
        ("/v1/models?page_token=abc&after_id=m&tokens=3", "/v1/models?page_token=abc&after_id=m&tokens=3"),
        ("/sk-ant-api03-abcdefgh/v1?x=AKIAIOSFODNN7EXAMPLE", "/***/v1?x=***"),
        ("http://ada:hunter2@host/v1?a=b?key=c", "http://ada:***@host/v1?a=b?key=c"),
        ("*", "*"),
    ],
)
def test_paths(path: str, masked: str) -> None:
    assert masked_path(path) == masked
    assert masked_path(masked) == masked


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("/v1/messages?beta=true&api_key=a-key", "/v1/messages?beta=true"),
        ("/v1/messages?key=a-key", "/v1/messages"),
        ("/v1/messages?access%5Ftoken=x&beta=true&x-api-key=y", "/v1/messages?beta=true"),
        ("/v1/messages?page_token=2", "/v1/messages?page_token=2"),
        ("/v1/messages", "/v1/messages"),
    ],
)
def test_a_path_without_the_parameters_of_credentials(path: str, left: str) -> None:
    assert without_secret_parameters(path) == left


def test_what_a_client_puts_where_credentials_stand() -> None:
    headers = {"authorization": "Bearer hunter2-secret", "x-api-key": "another-one", "user-agent": "not-a-secret"}
    found = credentials_of(headers, "/v1/messages?api_key=a%2Fthird%2Fone&beta=not-a-secret&key=short")
    assert {secret.reveal() for secret in found} == {
        "hunter2-secret",
        "another-one",
        "a%2Fthird%2Fone",
        "a/third/one",
    }


def test_a_name_that_a_space_follows_is_a_name() -> None:
    assert is_secret_header("x-api-key ") and is_secret_header("\tAuthorization")
