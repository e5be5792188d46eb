"""Productator: products and their offers, served over HTTP."""
