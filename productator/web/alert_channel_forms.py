"""Forms that make, change and delete channels, and rotate the secrets of webhooks."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Response
from pydantic import ValidationError
from sqlalchemy.orm import Session

from productator.alerts import channels
from productator.alerts.channels import MESSAGES_AN_HOUR, TOKEN_KINDS, ChannelKind, ChannelRow
from productator.api.conventions.channel_settings import alert_networks, channel_seal
from productator.api.conventions.idempotency import once_for
from productator.api.schemas.alert_channels import ChannelIn, ChannelPatch, channel_json, refuse_wrong
from productator.database.web import reading, transaction
from productator.domain import utc_now
from productator.errors import InvalidInput, StaleVersion
from productator.web.alert_channel_pages import KIND_NAMES, shortened
from productator.web.form_keys import keyed_form
from productator.web.forms import check_form
from productator.web.pages import page, page_blueprint, require_admin, see
from productator.web.parsing import Form, wrong_in_form

alert_channel_forms = page_blueprint("alert_channel_forms")
alert_channel_forms.before_request(require_admin)

Made = TypeVar("Made")
_QUIET = ("begin", "end", "time_zone")


@alert_channel_forms.get("/alerts/channels/new")
def new() -> Response:
    """An empty form."""
    return _shown(Form({"kind": ChannelKind.WEBHOOK, "messages_an_hour": str(MESSAGES_AN_HOUR)}))


@alert_channel_forms.post("/alerts/channels")
def create() -> Response:
    """Makes the channel once; of a webhook, this answer alone shows its secret."""
    check_form()
    form = Form.sent()
    given = _given(form) | {"kind": form.get("kind")}
    made = _checked(
        form, given["kind"], given, lambda: ChannelIn.model_validate(given).new_channel(alert_networks())
    )
    if made is None:
        return _shown(form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return _with_secret(
        lambda session: channels.create(session, made, channel_seal(), now=utc_now()), is_new=True
    )


@alert_channel_forms.get("/alerts/channels/<id:channel_id>/edit")
def edit(channel_id: int) -> Response:
    """A form with the channel as it is."""
    stored = _stored(channel_id)
    return _shown(_form_of(stored), stored=stored)


@alert_channel_forms.post("/alerts/channels/<id:channel_id>/edit")
def change(channel_id: int) -> Response:
    """Changes the channel, unless somebody else has meanwhile: then both versions are shown."""
    check_form()
    form, stored = Form.sent(), _stored(channel_id)
    given = _given(form)
    kind = ChannelKind(stored.kind)
    # The address may have to be looked up, and no transaction waits for a name server.
    changes = _checked(
        form, kind, given, lambda: ChannelPatch.model_validate(given).changes(kind, alert_networks())
    )
    if changes is None:
        return _shown(form, status=HTTPStatus.UNPROCESSABLE_ENTITY, stored=stored)
    try:
        with transaction() as session:
            row = channels.stored(session, channel_id, expected=form.expected)
            channels.change(session, row, changes, channel_seal(), now=utc_now())
    except StaleVersion:
        stored = _stored(channel_id)
        # Sending it again means: over the version that is shown beside it.
        form.values["version"] = str(stored.version)
        return _shown(form, status=HTTPStatus.CONFLICT, stored=stored)
    return see("alert_channel_pages.show", done="changed")


@alert_channel_forms.get("/alerts/channels/<id:channel_id>/delete")
def confirm_deletion(channel_id: int) -> Response:
    """Asks before the channel is deleted."""
    return page("alert_channel_delete.html", channel=_stored(channel_id))


@alert_channel_forms.post("/alerts/channels/<id:channel_id>/delete")
def delete(channel_id: int) -> Response:
    """Deletes the channel with its deliveries; rules go on without it."""
    check_form()
    with transaction() as session:
        channels.remove(session, channel_id)
    return see("alert_channel_pages.show", done="deleted")


@alert_channel_forms.post("/alerts/channels/<id:channel_id>/rotate-secret")
def rotate(channel_id: int) -> Response:
    """Gives a webhook a new secret, which this answer alone shows; the old one signs for another day."""
    check_form()
    return _with_secret(
        lambda session: channels.rotate_secret(session, channel_id, channel_seal(), now=utc_now()),
        is_new=False,
    )


def _given(form: Form) -> dict[str, Any]:
    """What the form asks for; fields of the kind and of quiet hours that were left empty are not given."""
    messages = form.number("messages_an_hour")
    given: dict[str, Any] = {
        "name": form.get("name").strip(),
        # People write lists of mail addresses with spaces; no address has one.
        "address": ",".join(each.strip() for each in form.get("address").split(",")),
        "messages_an_hour": None if messages is None else int(messages),
        "quiet_hours": {name: form.get(name).strip() for name in _QUIET},
    }
    if not any(given["quiet_hours"].values()):
        given["quiet_hours"] = None
    token = form.get("secret").strip()
    return given | ({"secret": token} if token else {})


def _checked(form: Form, kind: str, given: dict[str, Any], make: Callable[[], Made]) -> Made | None:
    """None: something is wrong, and the form says what."""
    try:
        made = make()
    except ValidationError as error:
        for location, sentence in wrong_in_form(error):
            form.errors.setdefault(str(location[-1]), sentence)
        _check_target(form, kind, given)
    except InvalidInput as error:
        _refuse(form, error)
    return None if form.errors else made


def _check_target(form: Form, kind: str, given: dict[str, Any]) -> None:
    """Tells of the address and the token, too, when something else is wrong."""
    if kind not in set(ChannelKind) or form.errors.keys() & {"address", "secret"}:
        return
    try:
        refuse_wrong(ChannelKind(kind), given["address"], given.get("secret"), alert_networks())
    except InvalidInput as error:
        _refuse(form, error)


def _refuse(form: Form, error: InvalidInput) -> None:
    form.errors |= {pointer.rpartition("/")[2]: sentence for pointer, sentence in error.errors}


def _form_of(stored: ChannelRow) -> Form:
    quiet = channel_json(stored)["quiet_hours"]
    messages = "" if stored.messages_an_hour is None else str(stored.messages_an_hour)
    values = {"version": str(stored.version), "kind": stored.kind, "messages_an_hour": messages}
    values |= {"name": stored.name, "address": stored.address}
    return Form(values | ({name: str(value) for name, value in quiet.items()} if quiet else {}))


def _shown(form: Form, *, status: HTTPStatus = HTTPStatus.OK, stored: ChannelRow | None = None) -> Response:
    response = page(
        "alert_channel.html",
        status=status,
        form=form,
        stored=stored,
        stored_address=stored and shortened(stored),
        stored_quiet=channel_json(stored)["quiet_hours"] if stored else None,
        kinds=KIND_NAMES,
        takes_token=stored is None or stored.kind in TOKEN_KINDS,
        is_conflict=status is HTTPStatus.CONFLICT,
    )
    # Addresses of some kinds are secrets, and so is a token that was typed.
    response.headers["Cache-Control"] = "no-store"
    return response


def _with_secret(make: Callable[[Session], tuple[ChannelRow, str | None]], *, is_new: bool) -> Response:
    """The page with the new secret; the form that is sent again makes and shows no other one."""
    channel, secret = None, None

    def work(session: Session) -> tuple[Response, Response]:
        nonlocal channel, secret
        channel, secret = make(session)
        before = "made-before" if is_new else "rotated-before"
        return see("alert_channel_pages.show", done="made"), see("alert_channel_pages.show", done=before)

    answer = once_for(keyed_form(), work)
    if secret is None:
        return answer
    response = page("alert_channel_secret.html", channel=channel, secret=secret, is_new=is_new)
    response.headers["Cache-Control"] = "no-store"
    return response


def _stored(channel_id: int) -> ChannelRow:
    with reading() as connection:
        return channels.get(connection, channel_id)
