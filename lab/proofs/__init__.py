"""Promises of the API and the refresher, tested for long."""
