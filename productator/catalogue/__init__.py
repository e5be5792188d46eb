"""The use cases of products and offers; each gets a database session or connection."""
