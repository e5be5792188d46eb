"""The token that every form carries, and its check."""

from markupsafe import Markup


def form_token() -> Markup:
    """The hidden field of a form."""
    return Markup("")


def check_form() -> None:
    """Refuses a form that another site sent; raises FormRefused."""
