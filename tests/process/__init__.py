"""A real gateway on loopback, told as operator stories."""
