"""Where the link in an alert by mail leads: a form that mutes the rule.

Opening the page changes nothing, since programs that check mails for viruses open every link.
"""

from flask import Blueprint, Response, current_app
from werkzeug.exceptions import NotFound

from productator.access import installation_keys
from productator.alerts import mute_links
from productator.database.web import reading, transaction
from productator.domain import utc_now
from productator.web.problem_pages import plain_html, plain_policy

mute_pages = Blueprint("mute_pages", __name__, template_folder="templates", url_prefix="/alerts/mute")


@mute_pages.get("/<id:rule_id>/<string:signature>")
def mute_form(rule_id: int, signature: str) -> Response:
    """A form with one button, from the link in an alert by mail."""
    _check(rule_id, signature)
    return _page(is_muted=False)


@mute_pages.post("/<id:rule_id>/<string:signature>")
def mute_rule(rule_id: int, signature: str) -> Response:
    """Mute the rule for a week."""
    _check(rule_id, signature)
    with transaction() as session:
        if not mute_links.mute(session, rule_id, now=utc_now()):
            raise NotFound
    return _page(is_muted=True)


def _check(rule_id: int, signature: str) -> None:
    with reading() as connection:
        key = installation_keys.find_or_make(connection, installation_keys.MUTE_LINKS)
    if not mute_links.is_valid(rule_id, signature, key):
        raise NotFound


def _page(*, is_muted: bool) -> Response:
    html = plain_html("mute.html", is_muted=is_muted, days=mute_links.MUTED_FOR.days)
    response = current_app.response_class(html, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = plain_policy(form_action="'self'")
    # The address is a secret: no other page may learn it.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
