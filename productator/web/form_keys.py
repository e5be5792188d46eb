"""A form that is sent again, by the back button or a second click, has its effect once."""

import hashlib
import secrets

from flask import request
from markupsafe import Markup

from productator.idempotency import KeyedRequest

_FIELD = "form_key"


def form_key() -> Markup:
    """The hidden field of a form that creates something: another key each time the form is shown."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(_FIELD, secrets.token_urlsafe(16))


def keyed_form(*typed: str) -> KeyedRequest | None:
    """The form that was sent, with what was typed; None: it has no key.

    Other texts under the same key are another request: who went back to change them wants something else.
    """
    key = request.form.get(_FIELD)
    if not key:
        return None
    digest = hashlib.sha256("\0".join((request.path, key, *typed)).encode()).hexdigest()
    return KeyedRequest(scope=digest, fingerprint=digest)
