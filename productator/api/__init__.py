"""The REST API: resources, the conventions they share, the shapes of their JSON, and the OpenAPI document."""
