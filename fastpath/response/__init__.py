"""Heads and bodies of the responses that clients get. Pure."""
