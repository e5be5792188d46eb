"""Flask with Flask-SQLAlchemy and jsonify, for uWSGI."""

import os
from datetime import datetime
from typing import Any

from flask import Flask, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select

from lab.peers.tables import Base, Offer, Product, Refresh

db = SQLAlchemy(model_class=Base)
app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
db.init_app(app)


def product_dict(product: Product) -> dict[str, Any]:
    return {
        "id": product.id,
        "name": product.name,
        "description": product.description,
        "registration": product.registration,
        "created_at": _time(product.created_at),
        "updated_at": _time(product.updated_at),
    }


def offer_dict(offer: Offer) -> dict[str, Any]:
    return {
        "id": offer.id,
        "product_id": offer.product_id,
        "source": offer.source,
        "external_id": offer.external_id,
        "price": offer.price,
        "currency": offer.currency,
        "items_in_stock": offer.items_in_stock,
        "created_at": _time(offer.created_at),
        "updated_at": _time(offer.updated_at),
    }


@app.get("/api/v1/products")
def list_products() -> Response:
    limit, after = request.args.get("limit", 50, int), request.args.get("after", 0, int)
    query = select(Product).where(Product.id > after).order_by(Product.id).limit(limit + 1)
    found = db.session.scalars(query).all()
    page = found[:limit]
    following = f"/api/v1/products?limit={limit}&after={page[-1].id}" if len(found) > limit else None
    return jsonify(items=[product_dict(product) for product in page], next=following)


@app.get("/api/v1/products/<int:product_id>")
def get_product(product_id: int) -> Response:
    return jsonify(product_dict(db.get_or_404(Product, product_id)))


@app.get("/api/v1/products/<int:product_id>/offers")
def list_offers(product_id: int) -> Response:
    refresh = db.get_or_404(Refresh, product_id)
    query = select(Offer).where(Offer.product_id == product_id).order_by(Offer.id)
    return jsonify(
        items=[offer_dict(offer) for offer in db.session.scalars(query)],
        next=None,
        refreshed_at=None if refresh.refreshed_at is None else _time(refresh.refreshed_at),
        stale=refresh.stale,
    )


@app.get("/api/v1/products/<int:product_id>/offers/<int:offer_id>")
def get_offer(product_id: int, offer_id: int) -> Response:
    offer = db.get_or_404(Offer, offer_id)
    if offer.product_id != product_id:
        abort(404)
    return jsonify(offer_dict(offer))


@app.post("/api/v1/products")
def create_product() -> ResponseReturnValue:
    body = request.get_json()
    if not body.get("name"):
        abort(422)
    product = Product(name=body["name"], description=body.get("description", ""))
    db.session.add(product)
    db.session.flush()
    db.session.add(Refresh(product_id=product.id))
    db.session.commit()
    return jsonify(product_dict(product)), 201


@app.post("/api/v1/products/<int:product_id>/offers")
def create_offer(product_id: int) -> ResponseReturnValue:
    db.get_or_404(Product, product_id)
    body = request.get_json()
    if body["price"] < 0 or body["items_in_stock"] < 0:
        abort(422)
    offer = Offer(product_id=product_id, price=body["price"], items_in_stock=body["items_in_stock"])
    db.session.add(offer)
    db.session.commit()
    return jsonify(offer_dict(offer)), 201


def _time(value: datetime) -> str:
    return value.isoformat(timespec="microseconds") + "Z"
