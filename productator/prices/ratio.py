"""Fractions as figures need them."""

from typing import NamedTuple


class Ratio(NamedTuple):
    """An exact fraction. It is not reduced, as Python's is, which would take longer than all else."""

    numerator: int
    denominator: int

    def rounded(self, digits: int) -> float:
        """To so many decimals, half to even, as the nearest number that readers of JSON have."""
        scale: int = 10**digits
        whole, rest = divmod(self.numerator * scale, self.denominator)
        half = 2 * rest - self.denominator
        return (whole + (half > 0 or (half == 0 and whole % 2 == 1))) / scale
