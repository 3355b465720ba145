"""Signatures, both ways: Signature Version 4 and 2 are verified, 4 is made. Pure."""
