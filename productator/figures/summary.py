"""How a product's lowest price stands now beside its past."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from productator.figures.ratio import Ratio
from productator.figures.segments import DAY, Segment, Stocked, since, stocked
from productator.figures.trend import Priced, last_price

STANDING = 90 * DAY
_REFERENCE = 30 * DAY
# How far back the summary looks: a price that is as old as the standing goes still has its reference.
LOOK_BACK = STANDING + _REFERENCE


@dataclass(frozen=True, slots=True)
class Summary:
    current: Priced | None  # None: nothing is in stock
    lowest_7_days: Priced | None
    lowest_30_days: Priced | None
    lowest_90_days: Priced | None
    percentile: Ratio | None  # of the time in stock in 90 days, how many percent were cheaper than now
    reference: Priced | None  # the lowest price in the 30 days before the current one


def summary(segments: Sequence[Segment], now: int) -> Summary:
    """Of what held from LOOK_BACK ago until now."""
    current = _current(segments)
    recent = stocked(since(segments, now - STANDING))
    return Summary(
        current=current,
        lowest_7_days=_lowest(recent, now - 7 * DAY),
        lowest_30_days=_lowest(recent, now - 30 * DAY),
        lowest_90_days=_lowest(recent, now - STANDING),
        percentile=_percentile(recent, current.price) if current else None,
        reference=_reference(segments, current.at) if current and current.at > now - STANDING else None,
    )


def _current(segments: Sequence[Segment]) -> Priced | None:
    if not segments or not segments[-1].prices:
        return None
    return last_price(stocked(segments))


def _lowest(found: Iterable[Stocked], start: int) -> Priced | None:
    after = ((each, prices) for each, prices in found if each.end > start)
    return min((Priced(prices.lowest, max(each.start, start)) for each, prices in after), default=None)


def _percentile(found: Sequence[Stocked], price: int) -> Ratio:
    cheaper = sum(segment.in_stock for segment, prices in found if prices.usual < price)
    return Ratio(100 * cheaper, sum(segment.in_stock for segment, _ in found))


def _reference(segments: Iterable[Segment], changed_at: int) -> Priced | None:
    before = stocked(segment for segment in segments if segment.end <= changed_at)
    return _lowest(before, changed_at - _REFERENCE)
