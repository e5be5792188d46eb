"""The cookies of the pages: a session's id, and what the forms of viewers without a session are bound to."""

from datetime import timedelta

from flask import Response, request

SESSION, FORM = "session", "form"


def read(purpose: str) -> str | None:
    return request.cookies.get(_name(purpose))


def write(response: Response, purpose: str, value: str, *, kept_for: timedelta | None = None) -> None:
    """No script can read it, and other sites' forms do not carry it."""
    response.set_cookie(
        _name(purpose),
        value,
        max_age=kept_for,
        path=_path(),
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )


def forget(response: Response, purpose: str) -> None:
    response.delete_cookie(
        _name(purpose), path=_path(), secure=request.is_secure, httponly=True, samesite="Lax"
    )


def _name(purpose: str) -> str:
    # Browsers take a name with this prefix from nobody else on the domain, and only over HTTPS.
    return f"{'__Host-' if request.is_secure else ''}productator-{purpose}"


def _path() -> str:
    # The prefix of the name demands `/`.
    return "/" if request.is_secure else request.root_path.rstrip("/") or "/"
