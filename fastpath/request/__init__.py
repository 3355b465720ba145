"""Admission of a request, from its head to its target, and the head that goes upstream. Pure."""
