"""Heads and bodies of responses that clients get. Pure."""
