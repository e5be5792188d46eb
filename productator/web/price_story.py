"""What the page of a product says about its price: where it stands, and the chart of a range."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from productator.domain import ChangeKind
from productator.prices.buckets import PriceHistory
from productator.prices.offer_history import LatestChange
from productator.prices.offer_lines import OfferLine
from productator.prices.price_changes import PriceChange
from productator.prices.segments import DAY, HOUR, SECOND, TimeRange
from productator.prices.summary import PriceSummary
from productator.web import formats
from productator.web.charts.price_chart import PriceChart, price_chart
from productator.web.charts.steps import Step, merged

# Days; all that is known if it is None.
RANGES: dict[str, float | None] = {"24h": 1, "7d": 7, "30d": 30, "90d": 90, "all": None}
RANGE_NAMES = {"24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days", "all": "all time"}
DEFAULT_RANGE = "30d"
_SHORTER_RANGES = ("24h", "7d")
# The shortest axis.
_LEAST_SPAN_S = 600


class Extremes(NamedTuple):
    lowest: int
    highest: int


@dataclass(frozen=True)
class PriceRange:
    """A range of the chart, and the same as a table."""

    name: str
    steps: list[Step]
    chart: PriceChart | None
    # Of the lowest price.
    extremes: Extremes | None
    # Of single offers, if they were asked for.
    offers: Sequence[OfferLine]

    @property
    def offer_steps(self) -> list[tuple[int, Step]]:
        """The offers' numbers and steps, newest first."""
        steps = [(line.offer_id, step) for line in self.offers for step in _steps_of(line)]
        return sorted(steps, key=lambda each: each[1].start, reverse=True)

    @property
    def is_cut(self) -> bool:
        return any(line.is_cut for line in self.offers)

    @property
    def sentence(self) -> str:
        """The chart in words."""
        if not self.extremes:
            return "Nothing was in stock."
        known = [step.lowest for step in self.steps if step.lowest is not None]
        gaps = sum(step.lowest is None for step in self.steps)
        text = (
            f"Lowest price over {RANGE_NAMES[self.name]}: from {formats.price(known[0])} to"
            f" {formats.price(known[-1])}, between {formats.price(self.extremes.lowest)} and"
            f" {formats.price(self.extremes.highest)}"
        )
        return f"{text}; out of stock {gaps} {'time' if gaps == 1 else 'times'}." if gaps else f"{text}."


def fitting_range(age: timedelta) -> str:
    """For a product of that age: the shortest range that shows all of it, up to the default."""
    return next((name for name in _SHORTER_RANGES if age <= timedelta(days=RANGES[name] or 0)), DEFAULT_RANGE)


def range_until(end: int, name: str) -> TimeRange:
    days = RANGES[name]
    return TimeRange(0 if days is None else end - int(days * DAY), end)


def price_range(
    name: str, within: TimeRange, history: PriceHistory, offers: Sequence[OfferLine]
) -> PriceRange:
    steps = list(
        merged(
            Step(
                point.start / SECOND,
                point.end / SECOND,
                point.prices and point.prices.lowest,
                point.prices and point.prices.highest,
            )
            for point in history.points
        )
    )
    offer_steps = [_steps_of(each) for each in offers]
    lows = [step.lowest for step in steps if step.lowest is not None]
    return PriceRange(
        name=name,
        steps=steps,
        chart=price_chart(
            steps,
            _start_of_axis(within, steps, *offer_steps),
            within.end / SECOND,
            label=formats.price,
            offers=offer_steps,
        ),
        extremes=Extremes(min(lows), max(lows)) if lows else None,
        offers=offers,
    )


def _start_of_axis(within: TimeRange, *lines: Sequence[Step]) -> float:
    """Where the known time begins: in a day, the first minutes of a product could not be seen."""
    end = within.end / SECOND
    known = min((steps[0].start for steps in lines if steps), default=end)
    return max(within.start / SECOND, min(known, end - _LEAST_SPAN_S))


def _steps_of(offer: OfferLine) -> list[Step]:
    return [Step(step.start / SECOND, step.end / SECOND, step.price, None) for step in offer.steps]


def standing(summary: PriceSummary) -> str | None:
    """A sentence that says whether the price now is good; None: too little is known to say it."""
    share = summary.percentile_90_days
    if summary.current is None or share is None or summary.trend is None or summary.trend.figures is None:
        return None
    known_for = summary.trend.end - summary.trend.start
    if known_for < HOUR:
        return None
    span = _span(known_for)
    times = summary.trend.times
    if times.is_one_price:
        return f"The same price for all of the last {span}."
    # Not rounded: a cheaper minute would be 0.00 % of the time.
    below = share.numerator / share.denominator
    same = 100 * times.at(summary.current.price) / summary.trend.in_stock
    above = 100 - below - same
    if summary.trend.figures.lowest.price >= summary.current.price:
        return f"The lowest price of the last {span}; it was dearer {_share(above)} of the time."
    if above >= below:
        return f"Cheaper than {_share(above)} of the last {span}."
    return f"Dearer than {_share(below)} of the last {span}."


def change_sentence(found: LatestChange) -> str:
    """What happened to an offer."""
    change, before = found.change, found.price_before
    name = f"Offer {change.offer_id}"
    if change.kind is ChangeKind.REMOVED or change.price is None:
        last = "" if before is None else f", last {formats.price(before)}"
        return f"{name} is gone{last}"
    now = formats.price(change.price)
    stock = f"{formats.number(change.items_in_stock or 0)} in stock"
    if change.kind is ChangeKind.APPEARED or before is None:
        return f"{name} is new: {now}, {stock}"
    if before == change.price:
        return f"{name} has {stock}, before {formats.number(found.items_before or 0)}; {now}"
    return f"{name} now {now}, before {formats.price(before)}"


def price_change_sentence(change: PriceChange) -> str:
    """What happened to a lowest price."""
    if change.price is None:
        return f"Not in stock any more, last {formats.price(change.before)}"
    if change.before is None:
        return f"In stock again for {formats.price(change.price)}"
    return f"Now {formats.price(change.price)}, before {formats.price(change.before)}"


def _span(time: int) -> str:
    """The whole hours, or from two days on the whole days."""
    count, unit = (time // DAY, "day") if time >= 2 * DAY else (time // HOUR, "hour")
    return unit if count == 1 else f"{count} {unit}s"


def _share(percent: float) -> str:
    return f"{formats.number(min(max(round(percent), 1), 99))}\N{NO-BREAK SPACE}%"
