"""One module a vendor: the only places their libraries are imported."""
