"""Secrets of channels as they are stored: encrypted, if the operator gives a key."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken

_SEALED = "sealed:"


class SecretUnreadable(Exception):
    """A secret was encrypted with another key than the one that is set, or none is set."""

    def __init__(self) -> None:
        super().__init__("The channel's secret was encrypted with another PRODUCTATOR_SECRET_KEY.")


class Seal:
    """Encrypts and decrypts; without a key it stores secrets as they are."""

    def __init__(self, secret_key: str | None) -> None:
        # Fernet's keys have 32 bytes; the setting may have any length.
        digest = None if secret_key is None else hashlib.sha256(f"channels:{secret_key}".encode()).digest()
        self._fernet = None if digest is None else Fernet(base64.urlsafe_b64encode(digest))

    @property
    def encrypts(self) -> bool:
        return self._fernet is not None

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
