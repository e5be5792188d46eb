"""What an event says to people."""

from typing import Any

import pytest

from notifier.queue.claims import DeliveryClaim, Target
from notifier.sending.mail import mail_of
from notifier.sending.wording import wording
from productator.domain import utc_now

NEWS: dict[str, Any] = {
    "product": {"name": "Hand mill"},
    "price": 123_405,
    "limit": 200_000,
    "currency": "EUR",
    "rule": {"sentence": "Tell Ops when Hand mill is at or below 200,000."},
}


def test_a_new_low_of_some_days_is_not_said_to_be_the_lowest_price_ever() -> None:
    sentence = "Tell Ops when Hand mill is at a new low of 90 days."
    data = {"product": {"name": "Hand mill"}, "price": 4_990, "price_before": 5_290}

    said = wording("price.new_low", data | {"rule": {"sentence": sentence}})

    assert said.title == "Hand mill: the price is at a new low"
    assert said.text == f"{said.title}. Now 4,990, before 5,290. {sentence}"


def test_prices_of_a_digest_have_their_decimals() -> None:
    digest = {"count": 1, "events": [{"type": "price.threshold", "data": NEWS}]}

    said = wording("digest", digest, decimals=2)

    assert "Now 1,234.05 EUR. Tell Ops when Hand mill is at or below 2,000.00." in said.text


def test_a_limit_that_the_sentence_does_not_tell_changes_nothing_in_it() -> None:
    sentence = "Tell Ops when Mill 200,000 falls by 5 % below its lowest price of 30 days."

    said = wording("price.dropped", NEWS | {"rule": {"sentence": sentence}}, decimals=2)

    assert said.text.endswith(sentence)


def test_prices_of_a_mail_have_their_decimals() -> None:
    channel = Target(1, "email", "Ops", "ops@shop.example")
    claim = DeliveryClaim(1, "token", "msg_1", 0, "price.threshold", NEWS, utc_now(), 1, channel)

    mail = mail_of(claim, sender="shop@shop.example", mute_url=None, decimals=2)

    assert "Now 1,234.05 EUR." in mail.as_string().replace("=\r\n", "")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\u05de\u05d8\u05d7\u05e0\u05d4 5", "\u2068\u05de\u05d8\u05d7\u05e0\u05d4 5\u2069"),
        # Its own marks would end what it is put between, and turn the rest.
        ("\u05de\u2069\u202e 100", "\u2068\u05de 100\u2069"),
        ("\u202eabc 100", "abc 100"),
    ],
)
def test_a_name_written_from_the_right_does_not_turn_the_sentence(name: str, shown: str) -> None:
    assert wording("stock.back", {"product": {"name": name}}).title == f"{shown}: back in stock"
