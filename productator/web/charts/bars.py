"""Bars of equal width, one for each value, that stand on one line."""

from collections.abc import Sequence

from markupsafe import Markup

from productator.web.charts.scales import Scale

WIDTH, HEIGHT = 240, 60
_GAP = 2


def bars(values: Sequence[int]) -> Markup:
    """The path of the bars; a value above zero is never too low to be seen."""
    y = Scale(0, max(*values, 1), 0, HEIGHT)
    each = WIDTH / len(values)
    drawn = (
        f"M{number * each:g} {HEIGHT}v-{max(y.at(value), 1):g}h{each - _GAP:g}V{HEIGHT}z"
        for number, value in enumerate(values)
        if value
    )
    return Markup('<path d="{}"/>').format("".join(drawn))
