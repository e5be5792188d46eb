"""Prices over time: recording what changes, rolling it up when it is old, and the figures made of it.

All figures are whole numbers or exact fractions; only the API rounds them, once.
"""
