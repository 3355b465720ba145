"""Units of fastpath.custom."""
