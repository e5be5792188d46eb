"""Exact fractions."""

from typing import NamedTuple


class Ratio(NamedTuple):
    """A fraction that is not reduced: reducing, as Python's own does, would take longer than all else."""

    numerator: int
    denominator: int

    def rounded(self, digits: int) -> float:
        """To so many decimals, half to even, as the nearest number that JSON readers have."""
        scale: int = 10**digits
        whole, rest = divmod(self.numerator * scale, self.denominator)
        half = 2 * rest - self.denominator
        return (whole + (half > 0 or (half == 0 and whole % 2 == 1))) / scale
