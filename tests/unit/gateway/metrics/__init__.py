"""Units of the gateway package."""
