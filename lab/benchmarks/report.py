"""The parts of docs/performance.md that benchmarks write, and the plots beside it."""

import os
import re
from collections.abc import Iterable, Sequence

from lab.processes.system import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "performance.md"
PLOTS = REPOSITORY / "docs" / "plots"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine(load: tuple[float, float, float]) -> str:
    """What the figures were measured on; `load` is the load average before. Call it at the end."""
    return f"{os.cpu_count()} cores, load average before: {load[0]:.1f}, at the end: {os.getloadavg()[0]:.1f}"


def write_section(name: str, text: str) -> None:
    """Puts the text between the document's markers of this name."""
    document = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(with_section(document, name, text), encoding="utf-8")


def with_section(document: str, name: str, text: str) -> str:
    begin, end = f"<!-- {name}: written by a command -->", f"<!-- {name}: end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    found, times = pattern.subn(lambda _: f"{begin}\n\n{text.strip()}\n\n{end}", document)
    if times != 1:
        raise ValueError(f"The document has {times} sections {name!r}.")
    return found


def write_plot(name: str, svg: str) -> None:
    PLOTS.mkdir(exist_ok=True)
    PLOTS.joinpath(f"{name}.svg").write_text(svg, encoding="utf-8")
