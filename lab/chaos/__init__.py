"""Kills, faults, and the check of what is left."""
