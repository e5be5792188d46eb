"""Paths of prices, which do not slide between two values: each holds until the next one."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from productator.web.charts.scales import Scale


class Step(NamedTuple):
    """What held in [start, end), in seconds since 1970; prices are None while nothing was in stock."""

    start: float
    end: float
    lowest: int | None
    highest: int | None


def merged(steps: Iterable[Step]) -> Iterator[Step]:
    """Steps of equal prices that follow each other, as one."""
    last: Step | None = None
    for step in steps:
        if last and last.end == step.start and last[2:] == step[2:]:
            last = last._replace(end=step.end)
            continue
        if last:
            yield last
        last = step
    if last:
        yield last


def line(steps: Iterable[Step], x: Scale, y: Scale) -> str:
    """The path of the lowest price, with a gap where nothing was in stock."""
    path, drawn_to = [], None
    for step in steps:
        if step.lowest is None:
            continue
        height = y.at(step.lowest)
        path.append(f"V{height:g}" if drawn_to == step.start else f"M{x.at(step.start):g} {height:g}")
        path.append(f"H{x.at(step.end):g}")
        drawn_to = step.end
    return "".join(path)


def point(step: Step, x: Scale, y: Scale) -> str:
    """The path of the end of a step, without any length: a round cap makes a dot of it."""
    return "" if step.lowest is None else f"M{x.at(step.end):g} {y.at(step.lowest):g}h0"


def band(steps: Iterable[Step], x: Scale, y: Scale) -> str:
    """The area between the lowest and the highest price."""
    path: list[str] = []
    drawn_to, end = None, 0.0
    for step in steps:
        if step.lowest is None or step.highest is None or step.highest <= step.lowest:
            continue
        begin = end if drawn_to == step.start else x.at(step.start)
        end, top, bottom = x.at(step.end), y.at(step.highest), y.at(step.lowest)
        path.append(f"M{begin:g} {bottom:g}V{top:g}H{end:g}V{bottom:g}z")
        drawn_to = step.end
    return "".join(path)
