"""Forms that create, change and delete own offers, on the page of their product."""

from http import HTTPStatus

from flask import Response
from sqlalchemy.orm import Session

from productator.api.conventions.idempotency import once_for
from productator.catalogue import offers, products
from productator.database.web import reading, transaction
from productator.domain import utc_now
from productator.errors import OfferIsExternal, StaleVersion
from productator.web.form_keys import keyed_form
from productator.web.pages import page, page_blueprint, require_writer, see
from productator.web.parsing import Form
from productator.web.product_page import product_response

offer_forms = page_blueprint("offer_forms")


@offer_forms.post("/products/<id:product_id>/offers")
def create(product_id: int) -> Response:
    """Adds an own offer once."""
    require_writer()
    form = Form.sent()
    given = form.own_offer()
    if given is None:
        return product_response(product_id, status=HTTPStatus.UNPROCESSABLE_ENTITY, new_offer=form)

    def work(session: Session) -> tuple[Response, Response]:
        offers.create(session, product_id, given, now=utc_now())
        return _see_product(product_id, "offer"), _see_product(product_id, "offer-before")

    return once_for(keyed_form(), work)


@offer_forms.post("/products/<id:product_id>/offers/<id:offer_id>")
def change(product_id: int, offer_id: int) -> Response:
    """Changes an own offer, unless somebody else has meanwhile: then both versions are shown."""
    require_writer()
    form = Form.sent()
    given = form.own_offer()
    if given is None:
        return product_response(
            product_id, status=HTTPStatus.UNPROCESSABLE_ENTITY, edited_offer=(offer_id, form)
        )
    changes = {"price": given.price, "items_in_stock": given.items_in_stock}
    try:
        with transaction() as session:
            offers.change(session, product_id, offer_id, changes, expected=form.expected, now=utc_now())
    except StaleVersion:
        return _conflict(product_id, offer_id, form)
    return _see_product(product_id, "offer")


@offer_forms.get("/products/<id:product_id>/offers/<id:offer_id>/delete")
def confirm_deletion(product_id: int, offer_id: int) -> Response:
    """Asks before the own offer is deleted."""
    require_writer()
    with reading() as connection:
        product = products.get(connection, product_id)
        offer = offers.get(connection, product_id, offer_id)
    if offer.remote_id is not None:
        raise OfferIsExternal(offer_id)
    return page("offer_delete.html", product=product, offer=offer)


@offer_forms.post("/products/<id:product_id>/offers/<id:offer_id>/delete")
def delete(product_id: int, offer_id: int) -> Response:
    """Deletes an own offer, unless somebody else has changed it meanwhile."""
    require_writer()
    form = Form.sent()
    try:
        with transaction() as session:
            offers.remove(session, product_id, offer_id, expected=form.expected, now=utc_now())
    except StaleVersion:
        return _conflict(product_id, offer_id, form)
    return _see_product(product_id, "offer-deleted")


def _conflict(product_id: int, offer_id: int, form: Form) -> Response:
    with reading() as connection:
        offer = offers.get(connection, product_id, offer_id)
    return page("offer_conflict.html", status=HTTPStatus.CONFLICT, offer=offer, form=form)


def _see_product(product_id: int, done: str) -> Response:
    return see("product_page.show", product_id=product_id, done=done)
