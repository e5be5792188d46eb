"""Running the programs: logging, and the API under uWSGI."""
