"""Tokens of an identity provider: real keys, served by a real server on loopback."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from productator.access import jwt_keys as keysets
from productator.access.jwt_keys import KeySet
from productator.errors import KeysUnavailable
from tests.api.checks import PRODUCTS, problem
from tests.factories import NOW, bearer
from tests.identity import AUDIENCE, ISSUER, Jwks, SigningKey, claims

pytestmark = pytest.mark.parametrize("server", ["sqlite"], indirect=True)

Call = Callable[..., TestResponse]
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.new("first", "RS256")


@pytest.fixture
def jwks(server: object, key: SigningKey) -> Iterator[Jwks]:
    """Publishes the key; `server`, which decides on the database, is not used."""
    jwks = Jwks(key)
    yield jwks
    jwks.stop()


@pytest.fixture
def client(guarded: Callable[..., FlaskClient], jwks: Jwks) -> FlaskClient:
    return guarded("all", jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_jwks_url=jwks.address)


@pytest.fixture
def call(client: FlaskClient) -> Call:
    """Lists products with this token, or does something else."""
    return lambda token, method="GET", **body: client.open(
        PRODUCTS, method=method, headers=bearer(token), **body
    )


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256", "ES256", "EdDSA"])
def test_a_token_of_the_provider_is_accepted(call: Call, jwks: Jwks, algorithm: str) -> None:
    other = SigningKey.new("other", algorithm)
    jwks.publish(other)

    assert call(other.token()).status_code == 200


@pytest.mark.parametrize(
    ("scopes", "read", "write"),
    [
        ({"scope": "read"}, 200, 403),
        ({"scope": "openid write profile"}, 200, 201),
        ({"scope": "admin"}, 200, 201),
        ({"scope": None, "scp": "write"}, 200, 201),
        ({"scope": None, "scp": ["openid", "write"]}, 200, 201),
        ({"scope": "openid"}, 403, 403),
        ({"scope": "Write writes"}, 403, 403),
        ({"scope": ""}, 403, 403),
        ({"scope": None}, 403, 403),
        ({"scope": 7}, 403, 403),
        ({"scope": [{"write": 1}]}, 403, 403),
    ],
)
def test_scopes_are_those_of_the_token(
    call: Call, key: SigningKey, scopes: dict[str, Any], read: int, write: int
) -> None:
    token = key.token(**scopes)

    found = (call(token).status_code, call(token, "POST", json={"name": "Kettle"}).status_code)

    assert found == (read, write)


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://id.example/other"},
        {"iss": None},
        {"iss": [ISSUER]},
        {"aud": "another-api"},
        {"aud": ["another-api"]},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"exp": float("inf")},
        {"nbf": 2**40},
        {"iat": 2**40},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "shop\nadmin"},
        {"sub": "shop\0"},
        {"sub": 256 * "x"},
    ],
    ids=str,
)
def test_a_token_with_wrong_claims_is_refused(call: Call, key: SigningKey, wrong: dict[str, Any]) -> None:
    response = call(key.token(**wrong))

    problem(response, 401)
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="productator", error="invalid_token"'


def test_a_deeply_nested_token_is_refused(call: Call) -> None:
    nested = base64.urlsafe_b64encode(b"[" * 9_000).decode()

    problem(call(f"{nested}.e30.AA"), 401)


def test_clocks_may_differ_by_some_seconds(call: Call, key: SigningKey) -> None:
    good = claims()

    assert call(key.token(exp=good["iat"] - 10)).status_code == 200
    assert call(key.token(exp=good["iat"] - 60)).status_code == 401


def test_one_audience_of_several_is_enough(call: Call, key: SigningKey) -> None:
    assert call(key.token(aud=["another-api", AUDIENCE])).status_code == 200


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def signed_by_nobody(key: SigningKey) -> str:
    return f"{part({'alg': 'none', 'kid': key.id})}.{part(claims())}."


def signed_with_the_public_key_as_a_secret(key: SigningKey) -> str:
    secret = key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signer = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    message = f"{part({'alg': 'HS256', 'kid': key.id})}.{part(claims())}"
    signature = base64.urlsafe_b64encode(signer.sign(message.encode(), secret)).decode().rstrip("=")
    return f"{message}.{signature}"


FORGED: dict[str, Callable[[SigningKey], str]] = {
    "nobody": signed_by_nobody,
    "the public key as a secret": signed_with_the_public_key_as_a_secret,
    "another key of the same name": lambda key: SigningKey.new(key.id, "RS256").token(),
    "another kind of key": lambda key: SigningKey.new(key.id, "ES256").token(),
    "an algorithm that the key is not for": lambda key: SigningKey(key.id, "RS512", key.private).token(),
    "a key that it brings itself": lambda key: SigningKey.new(key.id, "RS256").token(
        headers={"jwk": SigningKey.new(key.id, "RS256").published()}
    ),
    "a key without a name": lambda key: key.token(headers={"kid": None}),
    "an unknown critical extension": lambda key: key.token(headers={"crit": ["x"], "x": 1}),
    "claims changed afterwards": lambda key: ".".join(
        [key.token().split(".")[0], part(claims(scope="admin")), key.token().split(".")[2]]
    ),
    "no signature": lambda key: key.token().rpartition(".")[0] + ".",
    "nothing": lambda key: "..",
    "no JSON": lambda key: "eA.eA.eA",
    "JSON without an end": lambda key: base64.urlsafe_b64encode(15_000 * b"[").decode() + ".e30.eA",
    "a name that is no text": lambda key: f"{part({'alg': 'RS256', 'kid': {'a': 1}})}.e30.eA",
    "an algorithm that is no text": lambda key: f"{part({'alg': ['RS256'], 'kid': key.id})}.e30.eA",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_is_refused(call: Call, key: SigningKey, forge: Callable[[SigningKey], str]) -> None:
    assert call(key.token()).status_code == 200

    problem(call(forge(key)), 401)


def test_an_address_in_the_token_is_not_asked(call: Call, jwks: Jwks) -> None:
    other = SigningKey.new("other", "RS256")
    asked = Jwks(other)
    response = call(other.token(headers={"jku": asked.address, "x5u": asked.address}))
    asked.stop()

    problem(response, 401)
    assert asked.asked == 0


@pytest.mark.parametrize(
    "over", [{"use": "enc"}, {"alg": "RSA-OAEP"}, {"alg": "HS256"}, {"kty": "oct", "k": "eA"}, {"kid": 7}]
)
def test_a_key_that_is_not_for_signing_is_ignored(
    call: Call, jwks: Jwks, key: SigningKey, over: dict[str, Any]
) -> None:
    jwks.body = json.dumps({"keys": [key.published(**over)]}).encode()

    problem(call(key.token()), 401)


def test_a_key_that_is_too_short_is_refused(call: Call, jwks: Jwks) -> None:
    small = SigningKey("small", "RS256", rsa.generate_private_key(65537, 1024))
    jwks.publish(small)
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = small.token()

    problem(call(token), 401)


def test_an_rsa_key_without_an_algorithm_fits_all_of_rsa(call: Call, jwks: Jwks) -> None:
    other = SigningKey.new("other", "PS384")
    published = other.published()
    del published["alg"]
    jwks.body = json.dumps({"keys": [published]}).encode()

    assert call(other.token()).status_code == 200


def test_without_a_provider_only_our_own_tokens_are_valid(
    guarded: Callable[..., FlaskClient], key: SigningKey
) -> None:
    problem(guarded("write").get(PRODUCTS, headers=bearer(key.token())), 401)


def test_a_caller_is_named_by_provider_and_subject(client: FlaskClient, key: SigningKey) -> None:
    sent = [key.token(sub=subject, scope="write") for subject in ("shop", "shop", "other")]

    ids = [
        client.post(PRODUCTS, json={"name": "Kettle"}, headers=bearer(token) | {"Idempotency-Key": "k-1"})
        for token in sent
    ]

    first, again, other = (response.get_json()["id"] for response in ids)
    assert first == again != other


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"keys": 7}', b'{"keys": ["x"]}'])
def test_a_document_that_is_not_a_key_set_is_a_503(
    call: Call, jwks: Jwks, key: SigningKey, body: bytes
) -> None:
    jwks.body = body

    response = call(key.token())

    assert "identity provider" in problem(response, 503)["detail"]
    assert int(response.headers["Retry-After"]) > 0


def test_an_endless_key_set_is_not_read(call: Call, jwks: Jwks, key: SigningKey) -> None:
    jwks.body += 300_000 * b" "

    problem(call(key.token()), 503)


@pytest.mark.parametrize("status", [301, 404, 500])
def test_a_provider_that_fails_is_a_503(call: Call, jwks: Jwks, key: SigningKey, status: int) -> None:
    jwks.status = status

    problem(call(key.token()), 503)


def test_a_provider_that_is_down_is_a_503(call: Call, jwks: Jwks, key: SigningKey) -> None:
    jwks.stop()

    problem(call(key.token()), 503)


def test_keys_are_read_once_while_they_are_known(call: Call, jwks: Jwks, key: SigningKey) -> None:
    statuses = {call(key.token()).status_code for _ in range(5)}

    assert (statuses, jwks.asked) == ({200}, 1)


def test_new_keys_of_the_provider_are_found(jwks: Jwks) -> None:
    found = KeySet(jwks.address)
    before = found.find("second", now=NOW)
    jwks.publish(SigningKey.new("second"))

    assert before is None
    assert found.find("second", now=NOW + keysets.PAUSE)


def test_invented_key_ids_cause_few_requests(jwks: Jwks) -> None:
    found = KeySet(jwks.address)
    for number in range(100):
        assert found.find(f"made up {number}", now=NOW + 0.25 * number * SECOND) is None

    assert jwks.asked == 3


def test_a_withdrawn_key_becomes_invalid(jwks: Jwks) -> None:
    found = KeySet(jwks.address)
    assert found.find("first", now=NOW)
    jwks.publish(SigningKey.new("second"))

    assert found.find("first", now=NOW + keysets.KEPT_FOR - SECOND)
    assert found.find("first", now=NOW + keysets.KEPT_FOR) is None


def test_known_keys_stay_valid_for_a_while_when_the_provider_is_down(jwks: Jwks) -> None:
    found = KeySet(jwks.address)
    assert found.find("first", now=NOW)
    jwks.status = 500

    assert found.find("first", now=NOW + keysets.VALID_FOR)
    with pytest.raises(KeysUnavailable):
        found.find("first", now=NOW + keysets.VALID_FOR + SECOND)


def test_an_unknown_key_cannot_be_checked_while_the_provider_is_down(jwks: Jwks) -> None:
    found = KeySet(jwks.address)
    assert found.find("first", now=NOW)
    jwks.status = 500

    with pytest.raises(KeysUnavailable):
        found.find("second", now=NOW + keysets.PAUSE)
    assert found.find("first", now=NOW + keysets.PAUSE)


def test_a_provider_that_is_down_gets_few_requests(jwks: Jwks) -> None:
    found = KeySet(jwks.address)
    jwks.status = 500
    for number in range(100):
        with pytest.raises(KeysUnavailable):
            found.find("first", now=NOW + 0.25 * number * SECOND)

    assert jwks.asked == 3


def test_keys_are_found_again_once_the_provider_is_up(jwks: Jwks) -> None:
    found = KeySet(jwks.address)
    jwks.status = 500
    with pytest.raises(KeysUnavailable):
        found.find("first", now=NOW)
    jwks.status = 200

    assert found.find("first", now=NOW + keysets.PAUSE)
