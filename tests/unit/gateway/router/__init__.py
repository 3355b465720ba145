"""Units of gateway.router."""
