"""The deliveries in the database: claimed by lease, held back, and their outcomes stored."""
