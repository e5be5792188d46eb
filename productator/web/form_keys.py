"""A form that is sent again, by the back button or a second click, has its effect once."""

import hashlib
import json
import re
import secrets

from flask import request
from markupsafe import Markup

from productator.idempotency import KeyedRequest

_FIELD = "form_key"
_KEY = re.compile(f'(name="{_FIELD}" value=")[^"]*')


def form_key() -> Markup:
    """The hidden field of a form that creates something: another key each time the form is shown."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(_FIELD, secrets.token_urlsafe(16))


def without_keys(html: str) -> str:
    """A part of a page, which is the same whatever keys its forms have."""
    return _KEY.sub(r"\1", html)


def keyed_form() -> KeyedRequest | None:
    """The form that was sent, with what was typed; None: it has no key.

    Other texts under the same key are another request: who went back to change them wants something else.
    """
    if not request.form.get(_FIELD):
        return None
    typed = json.dumps([request.path, *sorted(request.form.items(multi=True))])
    digest = hashlib.sha256(typed.encode()).hexdigest()
    return KeyedRequest(scope=digest, fingerprint=digest)
