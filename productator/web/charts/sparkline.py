"""The small chart in a row of a list."""

from collections.abc import Sequence

from markupsafe import Markup

from productator.web.charts.scales import Scale
from productator.web.charts.steps import Step, line

_WIDTH, _HEIGHT, _MARGIN = 120, 28, 3
_EMPTY = Markup("")


def sparkline(lows: Sequence[int | None], days: int = 31) -> Markup:
    """One step a day, the last day at the right edge; a screen reader is told by the words beside it."""
    known = [low for low in lows if low is not None]
    if not known:
        return _EMPTY
    x = Scale(len(lows) - days, len(lows), 0, _WIDTH - _MARGIN)
    y = Scale(min(known), max(known), _HEIGHT - _MARGIN, _MARGIN)
    path = line([Step(day, day + 1, low, None) for day, low in enumerate(lows)], x, y)
    dot = Markup("")
    if lows[-1] is not None:
        dot = Markup('<circle cx="{}" cy="{:g}" r="2.5"/>').format(_WIDTH - _MARGIN, y.at(lows[-1]))
    return Markup(
        '<svg class="spark" viewBox="0 0 {0} {1}" width="{0}" height="{1}" aria-hidden="true">'
        '<path d="{2}"/>{3}</svg>'
    ).format(_WIDTH, _HEIGHT, path, dot)
