"""Figures of a product's price over time: pure functions from what held when to points, trends and lows.

Everything counts in whole numbers or fractions, and is rounded once, when it is told. Times are microseconds
since 1970 (UTC), so that no length of time is rounded either.
"""
