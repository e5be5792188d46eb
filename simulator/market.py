"""The market: the offers of a product at a tick.

The market is pure: a formula, not a replayed history. Every number is a hash of seed, product, slot and life.
So a product's offers depend on nothing else (not on the client, the time or earlier requests), every tick
takes the same time to compute, and products that nobody requests cost nothing. Only the control can move
prices otherwise: all of them, from a tick on.

A product has a number of slots. In each slot, one offer follows another for ever. A life begins with a gap.
Then the offer is listed, and its stock falls and is refilled. Then it is sold out but still listed.
"""

import hashlib
import struct
from typing import NamedTuple

# Shares of a slot's life are chosen so that an offer is listed about 86 % of the time.
LISTED_SHARE = 0.86
PRICE_BANDS = ((50, 250), (250, 1_000), (1_000, 5_000), (5_000, 20_000), (20_000, 45_000))
_SIXTEEN_NUMBERS = struct.Struct("<16I")
_BASIS_POINTS = 10_000


class MarketOffer(NamedTuple):
    """One offer, with the fields of the Offers service."""

    id: int | str
    price: int
    items_in_stock: int


class PriceLevel(NamedTuple):
    """From a tick on, all prices are this share of what the formula gives."""

    since: int
    percent: int


class _Life(NamedTuple):
    """One offer's time in its slot; `sells_out` is None if it never sells out."""

    id: int | str
    appears: int
    sells_out: int | None
    numbers: tuple[int, ...]


class Market:
    """The offers of every product at every tick."""

    def __init__(
        self, *, seed: int, generation: int, mean_offers: int = 6, exact_offers: int | None = None
    ) -> None:
        self._seed = seed
        self._generation = generation
        self._exact = exact_offers
        self._slots_limit = round(2 * mean_offers / LISTED_SHARE) - 1 if mean_offers else 0
        self._levels = [PriceLevel(0, 100)]

    def set_level(self, level: "PriceLevel") -> None:
        """All prices follow the level from its tick on; earlier ticks stay as they were."""
        self._levels.append(level)

    def offers(self, product: str, tick: int) -> list[MarketOffer]:
        numbers = self._numbers("product", product)
        lives = (self._life(product, numbers, slot, tick) for slot in range(self._slots(numbers)))
        typical_price = _typical_price(numbers)
        offers = [_offer(life, typical_price, tick) for life in lives if life.appears <= tick]
        percent = next(level.percent for level in reversed(self._levels) if level.since <= tick)
        if percent == 100:  # noqa: PLR2004 - the prices of the formula
            return offers
        return [offer._replace(price=max(1, offer.price * percent // 100)) for offer in offers]

    def _slots(self, numbers: tuple[int, ...]) -> int:
        if self._exact is not None:
            return self._exact
        # At least one slot. Products with few slots have an empty list from time to time.
        return 1 + numbers[0] % self._slots_limit if self._slots_limit else 0

    def _life(self, product: str, of_product: tuple[int, ...], slot: int, tick: int) -> _Life:
        """The current life of the slot, which may still be in its gap."""
        of_slot = self._numbers(f"slot {slot}", product)
        if self._exact is not None:
            offer_id = self._offer_id(of_product, slot, of_slot)
            return _Life(offer_id, appears=-(of_slot[1] % 1_000), sells_out=None, numbers=of_slot)
        period = 24 + of_slot[0] % 73
        phase = of_slot[1] % period
        cycle = (tick + phase) // period
        begins = cycle * period - phase
        numbers = self._numbers(f"life {slot} {cycle}", product)
        return _Life(
            self._offer_id(of_product, cycle * self._slots(of_product) + slot, numbers),
            appears=begins + 1 + numbers[0] % (period // 4),
            sells_out=begins + period - 2 - numbers[1] % 5,
            numbers=numbers,
        )

    def _offer_id(self, of_product: tuple[int, ...], ordinal: int, numbers: tuple[int, ...]) -> int | str:
        if self._generation == 1:
            # Unique within the product for ever, and below 2**53 for its first million offers.
            return (of_product[15] << 20) + ordinal
        return _uuid_text(numbers[12:])

    def _numbers(self, what: str, product: str) -> tuple[int, ...]:
        """Sixteen numbers below 2**32 that depend only on the seed, `what` and the product."""
        text = f"{self._seed}|{what}|{product}".encode(errors="surrogatepass")
        return _SIXTEEN_NUMBERS.unpack(hashlib.blake2b(text).digest())


def _uuid_text(numbers: tuple[int, ...]) -> str:
    """A version 4 UUID, formatted here: the uuid module would take a quarter of a listing's time."""
    text = struct.pack("<4I", *numbers).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"


def _typical_price(of_product: tuple[int, ...]) -> int:
    low, high = PRICE_BANDS[of_product[1] % len(PRICE_BANDS)]
    return low + of_product[2] % (high - low)


def _offer(life: _Life, typical_price: int, tick: int) -> MarketOffer:
    sold_out = life.sells_out is not None and tick >= life.sells_out
    return MarketOffer(life.id, _price(life, typical_price, tick), 0 if sold_out else _stock(life, tick))


def _price(life: _Life, typical_price: int, tick: int) -> int:
    """The seller's level, a slow wave, and a step of up to 2 % in four of five ticks."""
    numbers = life.numbers
    level = typical_price * (100 + numbers[2] % 31) // 100
    moved = tick if _mix(numbers[3], tick) % 5 else tick - 1
    wave = _triangle(moved + numbers[4] % 64, period=32 + numbers[5] % 64) * (200 + numbers[6] % 800) // 100
    step = _mix(numbers[7], moved) % 401 - 200
    return max(1, level * (_BASIS_POINTS + wave + step) // _BASIS_POINTS)


def _stock(life: _Life, tick: int) -> int:
    """Falls evenly from a full stock to one item, then is refilled."""
    refill_period = 6 + life.numbers[8] % 20
    refill, position = divmod(tick - life.appears, refill_period)
    full = 2 + _mix(life.numbers[9], refill) % 60
    return full - (full - 1) * position // refill_period


def _triangle(position: int, *, period: int) -> int:
    """A wave between 0 and 100."""
    return abs(position % period * 200 // period - 100)


def _mix(number: int, tick: int) -> int:
    """A cheap hash (the finaliser of splitmix64): it runs several times per offer and read."""
    mixed = (number * 0x9E3779B97F4A7C15 + tick * 0xD1342543DE82EF95) & 0xFFFFFFFFFFFFFFFF
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    return (mixed ^ (mixed >> 27)) >> 16
