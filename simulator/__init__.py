"""A simulator of the external Offers service, with faults on demand."""
