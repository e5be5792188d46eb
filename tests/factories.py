"""Builders with defaults: a test names only what matters to it."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from productator.access import api_tokens
from productator.catalogue import products
from productator.config import Settings
from productator.domain import NewProduct, Scope
from productator.models import Offer

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FAR_FUTURE = datetime(2999, 1, 1, tzinfo=UTC)


def settings(**over: Any) -> Settings:
    """The default settings, but for what tests want otherwise; no file and no environment take part."""
    wanted: dict[str, Any] = {
        "database_url": "sqlite://",
        "offers_address": "http://127.0.0.1:9/api/v1",
        "offers_timeout_s": 5.0,
        "refresher_concurrency": 8,
        "refresher_metrics_port": 0,
        "raw_points_days": 90,
        "port": 0,
        "auth": "off",
        "secret_key": "signs the cursors of tests",
    }
    return Settings(**(wanted | over))


def new_product(name: str = "Espresso machine", description: str = "15 bar pump") -> NewProduct:
    return NewProduct(name, description)


def stored_product(sessions: sessionmaker[Session], *, now: datetime = NOW, **over: str) -> int:
    """The id of a new product, created through the catalogue: pending, and due at `now`."""
    with sessions.begin() as session:
        product = products.create(session, new_product(**over), now=now)
        session.flush()
        return product.id


def external_offer(
    sessions: sessionmaker[Session],
    product_id: int,
    *,
    remote_id: str | None = None,
    price: int = 100,
    items_in_stock: int = 5,
    now: datetime = NOW,
) -> int:
    """The id of a new offer of the Offers service, inserted as the refresher would."""
    offer = Offer(
        product_id=product_id,
        remote_id=remote_id or str(uuid4()),
        price=price,
        items_in_stock=items_in_stock,
        created_at=now,
        updated_at=now,
    )
    with sessions.begin() as session:
        session.add(offer)
        session.flush()
        return offer.id


def posted_product(client: FlaskClient, **over: Any) -> dict[str, Any]:
    """A product created through HTTP, as it was answered."""
    response = client.post("/api/v1/products", json={"name": "Espresso machine"} | over)
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.get_json()
    return body


def posted_offer(client: FlaskClient, product_id: int, **over: Any) -> dict[str, Any]:
    """An own offer created through HTTP, as it was answered."""
    offer = {"price": 100, "items_in_stock": 5} | over
    response = client.post(f"/api/v1/products/{product_id}/offers", json=offer)
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.get_json()
    return body


def external_offers(sessions: sessionmaker[Session], product_id: int, *, count: int) -> None:
    """Many offers of the Offers service at once."""
    offers = [
        Offer(
            product_id=product_id,
            remote_id=str(number),
            price=number,
            items_in_stock=1,
            created_at=NOW,
            updated_at=NOW,
        )
        for number in range(count)
    ]
    with sessions.begin() as session:
        session.add_all(offers)


def token(
    sessions: sessionmaker[Session],
    *scopes: str,
    name: str = "shop",
    expires_at: datetime | None = None,
    now: datetime = NOW,
) -> tuple[int, str]:
    """A new API token: its id and its secret."""
    with sessions.begin() as session:
        made, secret = api_tokens.create(
            session, name=name, scopes=map(Scope, scopes), expires_at=expires_at, now=now
        )
        return made.id, secret


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}
