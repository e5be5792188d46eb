"""From claims to outcomes: the calls to the Offers service."""
