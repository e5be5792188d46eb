"""Plots as SVG, for the documents: bars in groups, and lines over a logarithmic axis."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle
from math import log10

from productator.web.charts.scales import Scale, ticks

# Readable on white and on black.
_COLOURS = ("#2f7ed8", "#8a8f98", "#c06c2b", "#3a9a5b", "#9a5bb5", "#b5a33a")
_TEXT = "#7a7f87"
_WIDTH = 860
_BAR, _GAP, _LABELS = 13, 14, 330
_HEIGHT, _MARGIN = 300, 70


def bars(groups: Mapping[str, Mapping[str, float]], *, unit: str) -> str:
    """For each group its title, and below it a bar for each name, with the value behind it."""
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    colours = dict(zip(names, cycle(_COLOURS), strict=False))
    most = max(value for group in groups.values() for value in group.values())
    x = Scale(0, most, 0, _WIDTH - _LABELS - 70)
    drawn, y = [], 0
    for title, group in groups.items():
        y += _GAP + 6
        drawn.append(_text(0, y, title, weight="bold"))
        y += 6
        for name, value in group.items():
            length = max(x.at(value), 1)
            size = f'width="{length:g}" height="{_BAR - 2}"'
            drawn += [
                _text(_LABELS - 8, y + _BAR - 3, name, anchor="end"),
                f'<rect x="{_LABELS}" y="{y}" {size} fill="{colours[name]}"/>',
                _text(_LABELS + length + 6, y + _BAR - 3, f"{value:,.0f} {unit}"),
            ]
            y += _BAR
    return _svg(drawn, y + _GAP)


def lines(series: Mapping[str, Sequence[tuple[float, float]]], *, unit: str, things: str) -> str:
    """A line for each name over the number of things, which grows by powers of ten."""
    points = [point for each in series.values() for point in each]
    x = Scale(
        log10(min(at for at, _ in points)), log10(max(at for at, _ in points)), _MARGIN, _WIDTH - _LABELS
    )
    top = max(value for _, value in points)
    y = Scale(0, top * 1.1, _HEIGHT - 40, 10)
    drawn = []
    for value in ticks(0, top * 1.1, most=5):
        height = y.at(value)
        drawn.append(
            f'<path d="M{_MARGIN} {height:g}H{_WIDTH - _LABELS}" stroke="{_TEXT}" stroke-opacity=".3"/>'
        )
        drawn.append(_text(_MARGIN - 8, height + 4, f"{value:,} {unit}", anchor="end"))
    drawn += [
        _text(x.at(log10(at)), _HEIGHT - 22, f"{at:,.0f}", anchor="middle")
        for at in sorted({at for at, _ in points})
    ]
    drawn.append(_text((_MARGIN + _WIDTH - _LABELS) / 2, _HEIGHT - 4, things, anchor="middle"))
    labels = _spread([y.at(each[-1][1]) for each in series.values()])
    for (name, each), colour, label in zip(series.items(), cycle(_COLOURS), labels, strict=False):
        path = "L".join(f"{x.at(log10(at)):g} {y.at(value):g}" for at, value in each)
        drawn.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn.append(_text(_WIDTH - _LABELS + 8, label + 4, name, fill=colour))
    return _svg(drawn, _HEIGHT)


def _spread(heights: Sequence[float], least: int = 15) -> list[float]:
    """The heights of labels that do not cover each other."""
    placed = dict.fromkeys(range(len(heights)), 0.0)
    above = float("-inf")
    for number in sorted(placed, key=heights.__getitem__):
        above = placed[number] = max(heights[number], above + least)
    return list(placed.values())


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", fill: str = _TEXT
) -> str:
    style = f'text-anchor="{anchor}" font-weight="{weight}" fill="{fill}"'
    return f'<text x="{x:g}" y="{y:g}" {style}>{escape(text)}</text>'


def _svg(drawn: Sequence[str], height: int) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}"'
    body = "\n".join(drawn)
    return f'{head} font-family="sans-serif" font-size="12">\n{body}\n</svg>\n'
