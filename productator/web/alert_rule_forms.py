"""Forms that make, change, mute and delete alert rules, and tell at once what is true already."""

from http import HTTPStatus

from flask import Response, current_app, request
from sqlalchemy.orm import Session

from productator.alerts import channels, mute_links, rules, truth
from productator.alerts.rules import RuleRow
from productator.alerts.truth import ShownRule
from productator.api.conventions.idempotency import once_for
from productator.catalogue import overview
from productator.database.web import reading, transaction
from productator.domain import utc_now
from productator.errors import InvalidInput, ProductNotFound, StaleVersion
from productator.web import formats
from productator.web.alert_rule_fields import form_of, new_form, refuse, rule_of
from productator.web.form_keys import keyed_form
from productator.web.pages import page, page_blueprint, require_writer, see
from productator.web.parsing import Form, id_of

alert_rule_forms = page_blueprint("alert_rule_forms")


@alert_rule_forms.get("/alerts/new")
def new() -> Response:
    """An empty form; about a product, if the address names one."""
    require_writer()
    asked = request.args.get("product_id", "")
    form = new_form(product_id=id_of(asked))
    form.values["product_id"] = asked
    return _shown(form)


@alert_rule_forms.post("/alerts")
def create() -> Response:
    """Makes the rule once, or shows the form again with what is wrong."""
    require_writer()
    form = Form.sent()
    given = rule_of(form, offered=_offered())
    if given is None:
        return _shown(form, status=HTTPStatus.UNPROCESSABLE_ENTITY)

    def work(session: Session) -> tuple[Response, Response]:
        rule = rules.create(session, given, now=utc_now())
        return _see(rule, "rule", on_product=True), _see(rule, "rule-before", on_product=True)

    try:
        return once_for(keyed_form(), work)
    except InvalidInput as error:
        refuse(form, error.errors)
    return _shown(form, status=HTTPStatus.UNPROCESSABLE_ENTITY)


@alert_rule_forms.get("/alerts/<id:rule_id>/edit")
def edit(rule_id: int) -> Response:
    """A form with the rule as it is."""
    require_writer()
    stored = _stored(rule_id)
    return _shown(form_of(stored.rule, stored.channel_ids), stored=stored)


@alert_rule_forms.post("/alerts/<id:rule_id>/edit")
def change(rule_id: int) -> Response:
    """Changes the rule, unless somebody else has meanwhile: then both versions are shown."""
    require_writer()
    form, stored = Form.sent(), _stored(rule_id)
    given = rule_of(form, offered=_offered(), stored=stored.rule)
    if given is None:
        return _shown(form, status=HTTPStatus.UNPROCESSABLE_ENTITY, stored=stored)
    changes = given.columns() | {"channel_ids": given.channel_ids}
    # Muting has a form of its own.
    del changes["muted_until"]
    try:
        with transaction() as session:
            rule = rules.patch(session, rule_id, changes, expected=form.expected, now=utc_now())
    except InvalidInput as error:
        refuse(form, error.errors)
        return _shown(form, status=HTTPStatus.UNPROCESSABLE_ENTITY, stored=stored)
    except StaleVersion:
        stored = _stored(rule_id)
        # Sending it again means: over the version that is shown beside it.
        form.values["version"] = str(stored.rule.version)
        return _shown(form, status=HTTPStatus.CONFLICT, stored=stored)
    return _see(rule, "rule-changed")


@alert_rule_forms.get("/alerts/<id:rule_id>/delete")
def confirm_deletion(rule_id: int) -> Response:
    """Asks before the rule is deleted."""
    require_writer()
    return page("alert_rule_delete.html", stored=_stored(rule_id))


@alert_rule_forms.post("/alerts/<id:rule_id>/delete")
def delete(rule_id: int) -> Response:
    """Deletes the rule; its events stay."""
    require_writer()
    with transaction() as session:
        rules.remove(session, rule_id)
    return see("alert_pages.show", done="rule-deleted")


@alert_rule_forms.post("/alerts/<id:rule_id>/mute")
def mute(rule_id: int) -> Response:
    """Mutes the rule for a week or longer, or unmutes it."""
    require_writer()
    is_wanted = bool(request.form.get("mute"))
    with transaction() as session:
        if is_wanted:
            mute_links.mute(session, rule_id, now=utc_now())
            rule = rules.get(session.connection(), rule_id)
        else:
            rule = rules.mute(session, rule_id, until=None, now=utc_now())
    return _see(rule, "muted" if is_wanted else "unmuted")


@alert_rule_forms.post("/alerts/<id:rule_id>/tell")
def tell(rule_id: int) -> Response:
    """Tells what is true already, once."""
    require_writer()

    def work(session: Session) -> Response:
        currency: str | None = current_app.config["CURRENCY"]
        was_told = truth.tell_now(session, rule_id, now=utc_now(), currency=currency)
        return _see(rules.get(session.connection(), rule_id), "told" if was_told else "not-told")

    return once_for(keyed_form(), work)


def _offered() -> list[int]:
    with reading() as connection:
        return [each.id for each in channels.choices(connection)]


def _stored(rule_id: int) -> ShownRule:
    with reading() as connection:
        (stored,) = truth.shown(connection, [rules.get(connection, rule_id)], amount=formats.price)
    return stored


def _shown(form: Form, *, status: HTTPStatus = HTTPStatus.OK, stored: ShownRule | None = None) -> Response:
    """The form of a new rule, or of the one that is stored."""
    product_id = id_of(form.get("product_id"))
    with reading() as connection:
        offered = channels.choices(connection)
        try:
            product = None if product_id is None else overview.one(connection, product_id)
        except ProductNotFound:
            if status is HTTPStatus.OK:
                raise
            # It was deleted after the form was opened; what was typed stays.
            product = None
    return page(
        "alert_rule.html",
        status=status,
        form=form,
        stored=stored,
        offered=offered,
        product=product,
        currency=current_app.config["CURRENCY"],
        is_conflict=status is HTTPStatus.CONFLICT,
    )


def _see(rule: RuleRow, done: str, *, on_product: bool = False) -> Response:
    """Back to where the form was: the page of the rule's product, or that of all rules."""
    if rule.product_id is not None and (on_product or request.form.get("from") == "product"):
        return see("product_page.show", product_id=rule.product_id, done=done, _anchor="alerts")
    return see("alert_pages.show", done=done)
