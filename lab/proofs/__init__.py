"""The API's promises, tested for long."""
