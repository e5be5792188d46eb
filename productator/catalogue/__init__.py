"""Use cases on products and offers, given a database session or connection."""
