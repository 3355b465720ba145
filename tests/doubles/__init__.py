"""Stand-ins for the stores behind the gateway."""
