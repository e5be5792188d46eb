"""The first page: all products with their prices."""

from flask import Response

from productator.web.pages import page, page_blueprint

product_list = page_blueprint("product_list")


@product_list.get("/")
def show() -> Response:
    """All products, with their prices."""
    return page("products.html")
