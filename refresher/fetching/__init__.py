"""From claims to results: the calls to the Offers service."""
