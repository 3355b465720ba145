"""Gateways that do what chains must not: what the plays are for is to find each of them."""
