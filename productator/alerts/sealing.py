"""Secrets of channels as they are stored: encrypted, if the operator gives a key."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

_SEALED = "sealed:"


class SecretUnreadable(Exception):
    """A secret was encrypted with another key than the one that is set, or none is set."""

    def __init__(self) -> None:
        super().__init__(
            "The channel's secret was encrypted with another key than PRODUCTATOR_SECRET_KEY and"
            " PRODUCTATOR_PREVIOUS_SECRET_KEY."
        )


class Seal:
    """Encrypts and decrypts; without a key it stores secrets as they are. `previous_key` only decrypts."""

    def __init__(self, secret_key: str | None, previous_key: str | None = None) -> None:
        keys = [_fernet_of(key) for key in (secret_key, previous_key) if key is not None]
        self._fernet = None if secret_key is None else MultiFernet(keys)

    def close(self, secret: str) -> str:
        return secret if self._fernet is None else _SEALED + self._fernet.encrypt(secret.encode()).decode()

    def open(self, stored: str) -> str:
        """Raises SecretUnreadable."""
        if not stored.startswith(_SEALED):
            return stored
        if self._fernet is None:
            raise SecretUnreadable
        try:
            return self._fernet.decrypt(stored.removeprefix(_SEALED)).decode()
        except InvalidToken as error:
            raise SecretUnreadable from error


def _fernet_of(key: str) -> Fernet:
    # Fernet's keys have 32 bytes; the setting may have any length.
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(f"channels:{key}".encode()).digest()))
