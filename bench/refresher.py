"""How fast the refresher is beside the obvious loop: one product after the other, with `requests`.

    python bench/refresher.py [--products 1000] [--latency 0.1] [--database-url URL]

Starts a simulator of its own, whose answers take `latency` seconds, and uses an empty database (default: a
temporary SQLite file). Both sides fetch, compare and store; start-up time of the refresher is included.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import requests
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session, sessionmaker

from productator import schema
from productator.domain import OfferData, ProductDraft, utc_now
from productator.engine import make_engine
from productator.models import Offer, Product, Refresh, ServiceToken
from productator.services import products

_LOOP_PRODUCTS = 30


@click.command()
@click.option("--products", "count", default=1000, show_default=True)
@click.option("--latency", default=0.1, show_default=True, help="Seconds that each answer takes.")
@click.option("--database-url", default=None, help="An empty database; default: a temporary SQLite file.")
def main(count: int, latency: float, database_url: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder, simulator() as address:
        url = database_url or f"sqlite:///{folder}/bench.db"
        engine = make_engine(url)
        schema.migrate(engine)
        create_products(engine, count)
        control = address.removesuffix("/api/v1") + "/control"
        register_s = refresh(url, address)
        print(f"registered and first read   {count / register_s:8.0f} products/s, no latency")
        requests.put(f"{control}/faults", json=[{"kind": "latency", "seconds": latency}], timeout=10)
        unchanged = measured(engine, url, address, count)
        requests.post(f"{control}/tick", json={}, timeout=10)
        changed = measured(engine, url, address, count)
        loop = sequential_loop(engine, address)
        print(f"one after the other         {loop:8.1f} products/s at {latency * 1000:.0f} ms latency")
        print(
            f"refresher, nothing changed  {unchanged:8.1f} products/s, {unchanged / loop:.0f} times the loop"
        )
        print(f"refresher, prices moved     {changed:8.1f} products/s, {changed / loop:.0f} times the loop")
        empty(engine)


@contextmanager
def simulator() -> Iterator[str]:
    command = [sys.executable, "-m", "simulator", "--port", "0", "--tick", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def create_products(engine: Engine, count: int) -> None:
    with sessionmaker(engine).begin() as session:
        if products.count(session):
            raise click.ClickException("The database is not empty.")
        for number in range(count):
            products.create(session, ProductDraft(f"Product {number}", ""), now=utc_now())


def refresh(url: str, address: str) -> float:
    """Seconds that one run of the refresher over everything that is due takes."""
    settings = {"DATABASE_URL": url, "OFFERS_MS_ADDRESS": address}
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "refresher", "--once"], env=os.environ | settings, check=True)
    return time.monotonic() - started


def measured(engine: Engine, url: str, address: str, count: int) -> float:
    """Products per second of a run over all of them."""
    with sessionmaker(engine).begin() as session:
        session.execute(update(Refresh).values(due_at=utc_now()))
    return count / refresh(url, address)


def sequential_loop(engine: Engine, address: str) -> float:
    """Products per second of what most implementations do; with the refresher's token."""
    with sessionmaker(engine)() as session:
        token = session.scalar(select(ServiceToken.access_token))
        chosen = session.scalars(select(Product).order_by(Product.id).limit(_LOOP_PRODUCTS)).all()
        started = time.monotonic()
        for product in chosen:
            url = f"{address}/products/{product.remote_id}/offers"
            answer = requests.get(url, headers={"Bearer": str(token)}, timeout=10)
            answer.raise_for_status()
            fetched = [
                OfferData(str(each["id"]), each["price"], each["items_in_stock"]) for each in answer.json()
            ]
            store_naively(session, product, fetched)
        return len(chosen) / (time.monotonic() - started)


def store_naively(session: Session, product: Product, fetched: list[OfferData]) -> None:
    offers = session.scalars(select(Offer).where(Offer.product_id == product.id))
    stored = {offer.remote_id: offer for offer in offers}
    for each in fetched:
        offer = stored[each.id]
        offer.price, offer.items_in_stock, offer.updated_at = each.price, each.items_in_stock, utc_now()
    session.commit()


def empty(engine: Engine) -> None:
    with sessionmaker(engine).begin() as session:
        session.execute(delete(Product))


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parent.parent)
    main()
