"""Copies whose source and destination are on different targets: read here, and written anew."""
