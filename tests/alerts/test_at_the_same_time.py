"""Several notifiers at once, killed in between, write each event once."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from productator.alerts import evaluating, evaluation
from productator.models import ChangedProduct, Event
from tests.alerts.world import PERIOD, World

LONG = timedelta(hours=1)


@pytest.fixture
def world(sessions: sessionmaker[Session]) -> World:
    return World(sessions)


def test_notifiers_that_look_at_the_same_products_write_one_event_each(world: World) -> None:
    products = [world.product(f"Mill {number}") for number in range(6)]
    world.passes(LONG)
    world.rule("out_of_stock", channel_ids=[world.channel()])
    world.passes(LONG)
    for product in products:
        world.price(product, None)
    world.passes(LONG)
    # Noted again and again: each notifier finds every product.
    with world.sessions.begin() as session:
        session.add_all(ChangedProduct(product_id=product) for _ in range(3) for product in products)

    def notify(seed: int) -> None:
        order = products.copy()
        random.Random(seed).shuffle(order)
        for product in order:
            evaluating.evaluate_product(
                world.sessions, product, [], period=PERIOD, now=world.now, currency=None
            )

    with ThreadPoolExecutor(3) as notifiers:
        list(notifiers.map(notify, range(3)))
    world.looks()

    with world.sessions() as session:
        told = session.scalars(select(Event.product_id).order_by(Event.product_id)).all()
    assert told == products
    assert world.deliveries() == len(products)


def test_a_notifier_that_is_killed_before_its_commit_has_done_nothing(world: World) -> None:
    product = world.product()
    world.passes(LONG)
    world.rule("out_of_stock", product_id=product)
    world.passes(LONG)
    world.price(product, None)
    world.passes(LONG)
    with world.sessions() as session:
        assert evaluation.evaluate(session, [product], period=PERIOD, now=world.now) == 1
        session.rollback()

    with world.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Event)) == 0
    assert world.looks() == 1
