"""The API's promises, tried at length."""
