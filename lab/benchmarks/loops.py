"""The loops that the refresher is compared with: over `requests`, with one transaction for each product."""

import time
from concurrent.futures import ThreadPoolExecutor

import requests
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from productator.domain import utc_now
from productator.models import Offer, Product

THREADS = 64


def one_after_the_other(engine: Engine, address: str, count: int) -> float:
    """Products per second."""
    sessions, products = sessionmaker(engine), _products(engine, count)
    began = time.monotonic()
    for product in products:
        answer = requests.get(_offers_of(address, product), headers={"Bearer": "token"}, timeout=30)
        _store(sessions, product, answer)
    return len(products) / (time.monotonic() - began)


def in_threads(engine: Engine, address: str, count: int) -> float:
    """Products per second; each thread with its own connections."""
    sessions, waiting = sessionmaker(engine), _products(engine, count)
    count = len(waiting)

    def work(_: int) -> None:
        with requests.Session() as http:
            while waiting:
                try:
                    product = waiting.pop()
                except IndexError:
                    return
                answer = http.get(_offers_of(address, product), headers={"Bearer": "token"}, timeout=30)
                _store(sessions, product, answer)

    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    return count / (time.monotonic() - began)


def _products(engine: Engine, count: int) -> list[tuple[int, str]]:
    with sessionmaker(engine)() as session:
        rows = session.execute(select(Product.id, Product.remote_id).order_by(Product.id).limit(count))
        return [(row.id, row.remote_id) for row in rows]


def _offers_of(address: str, product: tuple[int, str]) -> str:
    return f"{address}/products/{product[1]}/offers"


def _store(sessions: sessionmaker[Session], product: tuple[int, str], answer: requests.Response) -> None:
    answer.raise_for_status()
    with sessions.begin() as session:
        stored = session.scalars(select(Offer).where(Offer.product_id == product[0]))
        by_id = {offer.remote_id: offer for offer in stored}
        for each in answer.json():
            offer = by_id[each["id"]]
            if (offer.price, offer.items_in_stock) != (each["price"], each["items_in_stock"]):
                offer.price, offer.items_in_stock = each["price"], each["items_in_stock"]
                offer.updated_at = utc_now()
