"""A stand-in for the external Offers service, with faults on demand."""
