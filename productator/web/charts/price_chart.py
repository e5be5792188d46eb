"""The large chart of a product: the lowest price, and the band up to the highest one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

from markupsafe import Markup

from productator.web.charts.scales import Scale, ticks, time_ticks
from productator.web.charts.steps import Step, band, line, point

# The plot is as wide as the page lets it be; its labels keep their size.
WIDTH, HEIGHT = 1000, 240
_TOP = 10
_PRICE_TICKS, _TIME_TICKS = 5, 7
# The axis follows the lowest price; above it there is room for the band, as a part of the room of the line.
_ROOM_OF_THE_BAND = 0.6
_LEAST_ROOM = 0.04
_PIXELS_OF_A_LETTER = 7


@dataclass(frozen=True)
class PriceChart:
    line: str
    # The end of the line, as a point: a price of a second ago has no line that could be seen.
    now: str
    band: str
    # Of single offers.
    offers: list[str]
    # Where, and what it says.
    price_ticks: list[tuple[float, str]]
    # Percent of the width, and the text in UTC; the script writes the reader's time.
    time_ticks: list[tuple[float, int, str]]
    start: int
    end: int
    # Whether the band reaches above the axis.
    is_cut: bool

    @property
    def label_width(self) -> int:
        """The room that the price labels need, in pixels."""
        return 16 + _PIXELS_OF_A_LETTER * max(len(label) for _, label in self.price_ticks)

    @property
    def path(self) -> Markup:
        drawn = Markup("").join(
            Markup('<path class="offer offer-{}" d="{}"/>').format(number, path)
            for number, path in enumerate(self.offers, 1)
        )
        whole = Markup('<path class="band" d="{}"/><path class="line" d="{}"/>').format(self.band, self.line)
        now = Markup('<path class="line now" d="{}"/>').format(self.now) if self.now else Markup("")
        return whole + drawn + now


def price_chart(
    steps: Sequence[Step],
    start: float,
    end: float,
    *,
    label: Callable[[int], str],
    offers: Sequence[Sequence[Step]] = (),
) -> PriceChart | None:
    """None: nothing was in stock, so there is nothing to draw."""
    lows = [step.lowest for step in (*steps, *chain(*offers)) if step.lowest is not None]
    if not lows:
        return None
    highest = max(step.highest or 0 for step in steps)
    bottom, top = _axis(min(lows), max(lows), highest)
    x, y = Scale(start, end, 0, WIDTH), Scale(bottom, top, HEIGHT, _TOP)
    return PriceChart(
        line=line(steps, x, y),
        now=point(steps[-1], x, y) if steps and steps[-1].end >= end else "",
        band=band(steps, x, y),
        offers=[line(each, x, y) for each in offers],
        price_ticks=[(y.at(each), label(each)) for each in ticks(bottom, top, most=_PRICE_TICKS)],
        time_ticks=[
            (round(x.at(time) * 100 / WIDTH, 1), time, _time_text(time, is_day=is_day))
            for time, is_day in time_ticks(start, end, most=_TIME_TICKS)
        ],
        start=int(start),
        end=int(end),
        is_cut=highest > top,
    )


def _axis(lowest: int, highest_low: int, highest: int) -> tuple[float, float]:
    room = max(highest_low - lowest, highest_low * _LEAST_ROOM, 1)
    top = max(highest_low + room / 4, min(highest, highest_low + _ROOM_OF_THE_BAND * room))
    return max(0, lowest - room / 4), top


def _time_text(time: int, *, is_day: bool) -> str:
    moment = datetime.fromtimestamp(time, UTC)
    return f"{moment.day} {moment:%b}" if is_day else f"{moment:%H:%M}"
