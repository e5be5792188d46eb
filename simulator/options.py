"""The options of the simulator: flags, else environment variables, else defaults."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn
from uuid import UUID

DEFAULT_REFRESH_TOKEN = "5a0b1c2d-3e4f-4a5b-8c6d-7e8f90a1b2c3"  # noqa: S105 - not a secret: it is for tests


@dataclass(frozen=True)
class Options:
    """The values of all options."""

    port: int
    host: str
    generation: int
    seed: int
    tick: float
    token_lifetime: int
    refresh_token: str
    offers: int
    offers_exactly: int | None


class _Option(NamedTuple):
    name: str
    variable: str
    default: str | None
    convert: Callable[[str], Any]
    must_be: str
    meaning: str


def _whole(low: int, high: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not low <= int(text) <= high:
            raise ValueError(text)
        return int(text)

    return convert


def _seconds(text: str) -> float:
    if not 0 <= float(text) < float("inf"):
        raise ValueError(text)
    return float(text)


_OPTIONS = (
    _Option("port", "SIMULATOR_PORT", "6607", _whole(0, 65_535), "a port", "port; 0: any free one"),
    _Option("host", "LISTEN_HOST", "127.0.0.1", str, "an address", "address to listen on"),
    _Option(
        "generation",
        "SIMULATOR_GENERATION",
        "1",
        _whole(1, 2),
        "1 or 2",
        "of the contract",
    ),
    _Option("seed", "SIMULATOR_SEED", "1", int, "a whole number", "seed of the market and the faults"),
    _Option(
        "tick",
        "SIMULATOR_TICK",
        "15",
        _seconds,
        "seconds, 0 or more",
        "seconds between market moves; 0: never",
    ),
    _Option(
        "token-lifetime",
        "SIMULATOR_TOKEN_LIFETIME",
        "300",
        _whole(1, 10**9),
        "whole seconds, 1 or more",
        "seconds for which an access token of generation 2 is valid",
    ),
    _Option(
        "refresh-token",
        "SIMULATOR_REFRESH_TOKEN",
        DEFAULT_REFRESH_TOKEN,
        lambda text: str(UUID(text)),
        "a UUID",
        "the only valid refresh token of generation 2",
    ),
    _Option(
        "offers", "SIMULATOR_OFFERS", "6", _whole(0, 10_000), "from 0 to 10000", "average offers of a product"
    ),
    _Option(
        "offers-exactly",
        "SIMULATOR_OFFERS_EXACTLY",
        None,
        _whole(0, 100_000),
        "from 0 to 100000",
        "exact offers of every product, never replaced",
    ),
)


class _Parser(argparse.ArgumentParser):
    """Reports an error in one sentence, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"simulator: {message.removesuffix('.')}.\n")


def read_options(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """The options; an impossible one ends the program with status 2."""
    parser = _Parser(prog="simulator", description="Simulates the external Offers service.")
    for option in _OPTIONS:
        help_text = f"{option.meaning} (or {option.variable}; default: {option.default or 'none'})"
        parser.add_argument(f"--{option.name}", metavar="VALUE", help=help_text)
    flags = vars(parser.parse_args(arguments))
    values: dict[str, Any] = {}
    for option in _OPTIONS:
        field = option.name.replace("-", "_")
        # An empty variable counts as not set: docker-compose passes unset variables that way.
        given = flags[field] if flags[field] is not None else environment.get(option.variable)
        text = given if given or flags[field] is not None else option.default
        values[field] = None if text is None else _converted(option, text, parser)
    return Options(**values)


def _converted(option: _Option, text: str, parser: _Parser) -> Any:
    try:
        return option.convert(text)
    except ValueError:
        parser.error(f"--{option.name} or {option.variable} must be {option.must_be}, not {text!r}")
