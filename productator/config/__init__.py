"""The settings of all programs: `settings.py` declares each of them once."""

from productator.config.settings import Settings

__all__ = ["Settings"]
