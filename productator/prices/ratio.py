"""Exact fractions."""

from typing import NamedTuple


class Ratio(NamedTuple):
    """A fraction that is not reduced: reducing, as Python's own does, would take longer than all else."""

    numerator: int
    denominator: int

    def rounded(self, digits: int) -> float:
        """To so many decimals, half to even, as the nearest number that JSON readers have."""
        numerator, denominator = self
        scale: int = 10**digits
        whole, rest = divmod(numerator * scale, denominator)
        rest *= 2
        if rest > denominator or (rest == denominator and whole % 2):
            whole += 1
        return whole / scale
