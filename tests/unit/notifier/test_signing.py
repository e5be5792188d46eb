"""Signatures of Standard Webhooks."""

from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from notifier.sending.signing import signed_headers
from productator.alerts.sealing import Seal, SecretUnreadable

_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def test_the_library_of_receivers_verifies_a_signature() -> None:
    headers = signed_headers("msg_1", b'{"a":1}', secrets=[_SECRET], now=datetime.now(UTC))

    assert Webhook(_SECRET).verify(b'{"a":1}', headers) == {"a": 1}


def test_another_body_has_another_signature() -> None:
    headers = signed_headers("msg_1", b'{"a":1}', secrets=[_SECRET], now=datetime.now(UTC))

    with pytest.raises(WebhookVerificationError):
        Webhook(_SECRET).verify(b'{"a":2}', headers)


def test_a_secret_is_stored_encrypted_if_there_is_a_key() -> None:
    seal = Seal("the operator's key")

    stored = seal.close(_SECRET)

    assert _SECRET not in stored
    assert seal.open(stored) == _SECRET


def test_a_secret_that_was_encrypted_with_another_key_is_unreadable() -> None:
    stored = Seal("one key").close(_SECRET)

    for other in (Seal("another key"), Seal(None)):
        with pytest.raises(SecretUnreadable):
            other.open(stored)


def test_the_previous_key_decrypts_and_does_not_encrypt() -> None:
    seal = Seal("new", "old")

    assert seal.open(Seal("old").close(_SECRET)) == _SECRET
    assert Seal("new").open(seal.close(_SECRET)) == _SECRET


def test_a_secret_stored_without_a_key_is_read_with_one() -> None:
    assert Seal("a key").open(Seal(None).close(_SECRET)) == _SECRET
