"""The database: engines, transactions, column types, bulk writes, paging and migrations."""
