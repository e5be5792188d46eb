"""The REST API: routes, and one module for each convention they share."""
