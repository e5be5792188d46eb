"""The external Offers service, as Productator sees it."""
