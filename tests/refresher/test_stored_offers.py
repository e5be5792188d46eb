"""Reading the offers of many products, on every database."""

import pytest
from sqlalchemy import text

from productator.catalogue import offers as own_offers
from productator.domain import OwnOffer
from productator.prices.changes import OfferState
from refresher.storing import offers
from tests import factories
from tests.refresher.builders import NOW
from tests.refresher.rows import Sessions, stored_products

_LONGEST_OFFER = 60


def test_external_and_own_offers_come_with_all_that_they_hold(sessions: Sessions) -> None:
    with_offers, without = stored_products(sessions, 2)
    external = factories.external_offer(sessions, with_offers, remote_id="7", price=10**15, items_in_stock=0)
    with sessions.begin() as session:
        own = own_offers.create(session, with_offers, OwnOffer(price=5, items_in_stock=3), now=NOW).id
    with sessions() as session:
        found = offers.stored(session, [with_offers, without])

    assert found == {
        with_offers: {external: OfferState("7", 10**15, 0), own: OfferState(None, 5, 3)},
        without: {},
    }


@pytest.mark.parametrize(
    "remote_id", ['"', "\\", "a,b", "0", "null", "%s", "'", "".join(map(chr, range(33, 97)))]
)
def test_ids_of_all_kinds_stay_as_they_are(sessions: Sessions, remote_id: str) -> None:
    (product_id,) = stored_products(sessions, 1)
    factories.external_offer(sessions, product_id, remote_id=remote_id)
    with sessions() as session:
        (state,) = offers.stored(session, [product_id])[product_id].values()

    assert state.remote_id == remote_id


def test_no_offer_is_lost_where_a_server_cuts_long_texts(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    factories.external_offers(sessions, product_id, count=100)
    with sessions() as session:
        expected = offers.stored(session, [product_id])
        # Wherever an offer is cut, be it in the middle of its last number.
        for longest in range(1_000, 1_000 + _LONGEST_OFFER):
            if session.get_bind().dialect.name != "sqlite":
                session.execute(text(f"SET SESSION group_concat_max_len = {longest}"))
            assert offers.stored(session, [product_id]) == expected
        # No other test may get this connection.
        session.invalidate()

    assert len(expected[product_id]) == 100
