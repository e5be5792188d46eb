"""Forms that create, change, delete and refresh a product."""

from http import HTTPStatus

from flask import Response
from sqlalchemy.orm import Session

from productator.alerts import rules
from productator.api.conventions.idempotency import once_for
from productator.catalogue import products
from productator.database.web import reading, transaction
from productator.domain import utc_now
from productator.errors import StaleVersion
from productator.web.form_keys import keyed_form
from productator.web.pages import page, page_blueprint, require_writer, see
from productator.web.parsing import Form
from productator.web.product_page import product_page

product_forms = page_blueprint("product_forms")


@product_forms.get("/products/new")
def new() -> Response:
    """An empty form."""
    require_writer()
    return page("product_new.html", form=Form())


@product_forms.post("/products")
def create() -> Response:
    """Creates the product once, or shows the form again with what is wrong."""
    require_writer()
    form = Form.sent()
    given = form.product()
    if given is None:
        return page("product_new.html", status=HTTPStatus.UNPROCESSABLE_ENTITY, form=form)

    def work(session: Session) -> tuple[Response, Response]:
        product_id = products.create(session, given, now=utc_now()).id
        return _see_product(product_id, "created"), _see_product(product_id, "created-before")

    return once_for(keyed_form(), work)


@product_forms.get("/products/<id:product_id>/edit")
def edit(product_id: int) -> Response:
    """A form with the product as it is."""
    require_writer()
    with reading() as connection:
        product = products.get(connection, product_id)
    values = {"name": product.name, "description": product.description, "version": str(product.version)}
    return page("product_edit.html", product=product, form=Form(values))


@product_forms.post("/products/<id:product_id>/edit")
def change(product_id: int) -> Response:
    """Changes the product, unless somebody else has meanwhile: then both versions are shown."""
    require_writer()
    form = Form.sent()
    given = form.product()
    if given is None:
        return _shown_again(product_id, form, HTTPStatus.UNPROCESSABLE_ENTITY)
    changes = {"name": given.name, "description": given.description}
    try:
        with transaction() as session:
            products.change(session, product_id, changes, expected=form.expected, now=utc_now())
    except StaleVersion:
        return _shown_again(product_id, form, HTTPStatus.CONFLICT)
    return _see_product(product_id, "changed")


@product_forms.get("/products/<id:product_id>/delete")
def confirm_deletion(product_id: int) -> Response:
    """Asks before anything is deleted."""
    require_writer()
    with reading() as connection:
        product = products.get(connection, product_id)
        rule_count = rules.count_of_product(connection, product_id)
    return page("product_delete.html", product=product, rule_count=rule_count)


@product_forms.post("/products/<id:product_id>/delete")
def delete(product_id: int) -> Response:
    """Deletes the product with all of its history."""
    require_writer()
    with transaction() as session:
        products.remove(session, product_id)
    return see("product_list.show", done="deleted")


@product_forms.post("/products/<id:product_id>/refresh")
def refresh(product_id: int) -> Response:
    """Asks for fresh offers now."""
    require_writer()
    with transaction() as session:
        products.refresh_now(session, product_id, now=utc_now())
    return _see_product(product_id, "refresh")


def _shown_again(product_id: int, form: Form, status: HTTPStatus) -> Response:
    with reading() as connection:
        product = products.get(connection, product_id)
    is_conflict = status is HTTPStatus.CONFLICT
    if is_conflict:
        # Sending it again means: over the version that is shown beside it.
        form.values["version"] = str(product.version)
    return page("product_edit.html", status=status, product=product, form=form, is_conflict=is_conflict)


def _see_product(product_id: int, done: str) -> Response:
    return see(f"{product_page.name}.show", product_id=product_id, done=done)
