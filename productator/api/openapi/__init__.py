"""The OpenAPI document: what each route takes and answers, and how that becomes one document."""
