"""What benchmarks write into the documents."""

from xml.etree import ElementTree

import pytest

from lab.benchmarks import plots, report

SVG = "{http://www.w3.org/2000/svg}"


def test_a_section_is_replaced_and_the_rest_stays() -> None:
    document = "before\n<!-- a: written by a command -->\nold\n<!-- a: end -->\nafter\n"

    written = report.with_section(document, "a", r"new \1")

    assert written == document.replace("old", "\nnew \\1\n")
    assert report.with_section(written, "a", r"new \1") == written


def test_a_section_that_the_document_does_not_have_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 sections 'b'"):
        report.with_section("before", "b", "new")


@pytest.mark.parametrize("name", ["requests", "refresher", "growth"])
def test_the_document_has_a_section_for_each_command(name: str) -> None:
    document = report.DOCUMENT.read_text(encoding="utf-8")

    assert report.with_section(document, name, "new") != document


def test_bars_are_as_long_as_their_values() -> None:
    drawing = ElementTree.fromstring(plots.bars({"reads & writes": {"ours": 50, "peer": 100}}, unit="µs"))

    ours, peer = (float(bar.attrib["width"]) for bar in drawing.iter(f"{SVG}rect"))
    assert peer == pytest.approx(2 * ours)
    assert "reads & writes" in [text.text for text in drawing.iter(f"{SVG}text")]


def test_there_may_be_more_bars_and_lines_than_colours() -> None:
    names = [f"server {number}" for number in range(20)]

    drawn = ElementTree.fromstring(plots.bars({"reads": dict.fromkeys(names, 1.0)}, unit="µs"))
    plotted = ElementTree.fromstring(
        plots.lines({name: [(1, 5.0), (10, 6.0)] for name in names}, unit="µs", things="products")
    )

    assert len(list(drawn.iter(f"{SVG}rect"))) == 20
    assert len([path for path in plotted.iter(f"{SVG}path") if path.get("fill") == "none"]) == 20


def test_a_line_of_equal_values_is_flat() -> None:
    series = {"a read": [(1_000, 5.0), (100_000, 5.0)], "a list": [(1_000, 5.0), (100_000, 9.0)]}

    drawing = ElementTree.fromstring(plots.lines(series, unit="ms", things="products"))

    flat, rising = [
        path.attrib["d"].removeprefix("M").split("L")
        for path in drawing.iter(f"{SVG}path")
        if path.get("fill") == "none"
    ]
    assert len({point.split()[1] for point in flat}) == 1
    assert len({point.split()[1] for point in rising}) == 2


def test_labels_of_lines_do_not_cover_each_other() -> None:
    series = {name: [(1, 5.0), (10, 5.0)] for name in ("a", "b", "c")}

    drawing = ElementTree.fromstring(plots.lines(series, unit="ms", things="products"))

    heights = [float(text.attrib["y"]) for text in drawing.iter(f"{SVG}text") if text.text in series]
    assert len(heights) == len(set(heights)) == 3
