"""The scripts and styles of our pages."""

from functools import cache
from importlib.resources import files


@cache
def static_text(name: str) -> str:
    return files("productator.web").joinpath("static", name).read_text(encoding="utf-8")
