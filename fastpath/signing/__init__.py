"""Verifies Signature Versions 4 and 2, and makes Version 4 signatures. Pure."""
