"""The OpenAPI document: the requests and answers of each route, and their assembly into one document."""
