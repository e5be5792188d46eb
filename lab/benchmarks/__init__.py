"""Measurements, and long runs of the real programs."""
