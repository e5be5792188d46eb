"""What an event says to people."""

from notifier.sending.wording import wording


def test_a_new_low_of_some_days_is_not_said_to_be_the_lowest_price_ever() -> None:
    sentence = "Tell Ops when Hand mill is at a new low of 90 days."
    data = {"product": {"name": "Hand mill"}, "price": 4_990, "price_before": 5_290}

    said = wording("price.new_low", data | {"rule": {"sentence": sentence}})

    assert said.title == "Hand mill: the price is at a new low"
    assert said.text == f"{said.title}. Now 4,990, before 5,290. {sentence}"
