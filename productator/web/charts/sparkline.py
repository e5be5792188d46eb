"""The small chart in a row of a list."""

from collections.abc import Sequence

from markupsafe import Markup

from productator.web.charts.scales import Scale
from productator.web.charts.steps import Step, line, merged

_WIDTH, _HEIGHT, _MARGIN = 120, 28, 3
_EMPTY = Markup("")


def sparkline(lows: Sequence[int | None], days: int = 31) -> Markup:
    """One step a day, the last day at the right edge; a screen reader is told by the words beside it."""
    known = [low for low in lows if low is not None]
    if not known:
        return _EMPTY
    x = Scale(len(lows) - days, len(lows), 0, _WIDTH - _MARGIN)
    y = Scale(min(known), max(known), _HEIGHT - _MARGIN, _MARGIN)
    path = line(merged(Step(day, day + 1, low, None) for day, low in enumerate(lows)), x, y)
    dot = "" if lows[-1] is None else f'<circle cx="{_WIDTH - _MARGIN}" cy="{y.at(lows[-1]):g}" r="2.5"/>'
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    # Numbers alone: nothing has to be escaped.
    return Markup(f'<svg class="spark" {size} aria-hidden="true"><path d="{path}"/>{dot}</svg>')  # noqa: S704
