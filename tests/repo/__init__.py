"""Promises about the repository itself: layering, sizes, words, documents."""
