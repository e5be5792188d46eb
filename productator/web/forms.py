"""Forms are accepted from our own pages alone: by their origin, and the token that each form carries."""

import hmac
import secrets

from flask import Response, after_this_request, g, request
from markupsafe import Markup

from productator.errors import FormRefused
from productator.web import cookies

_FIELD = "form_token"


def form_token() -> Markup:
    """The hidden field of a form."""
    token = _token(cookies.read(cookies.SESSION) or cookies.read(cookies.FORM) or _new_seed())
    return Markup('<input type="hidden" name="{}" value="{}">').format(_FIELD, token)


def check_form() -> None:
    """Refuses a form that another site sent; raises FormRefused."""
    seed = cookies.read(cookies.SESSION) or cookies.read(cookies.FORM)
    sent = request.form.get(_FIELD, "")
    if not (_is_own_origin() and seed and hmac.compare_digest(sent.encode(), _token(seed).encode())):
        raise FormRefused


def _is_own_origin() -> bool:
    """By the header that only browsers write; those that do not write it name the origin at least."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    # Browsers write hosts in small letters; the address in the settings may have others.
    return request.headers.get("Origin") == f"{request.scheme}://{request.host}".lower()


def _token(seed: str) -> str:
    # Nobody else can read the cookie, so nobody else can compute it.
    return hmac.new(seed.encode(), b"form", "sha256").hexdigest()


def _new_seed() -> str:
    """The seed of this request's forms, which the answer gives to the browser."""
    seed: str | None = g.get("form_seed")
    if seed is None:
        seed = g.form_seed = secrets.token_urlsafe(32)

        @after_this_request
        def remember(response: Response) -> Response:
            cookies.write(response, cookies.FORM, str(seed))
            return response

    return seed
