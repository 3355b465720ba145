"""Decides about requests, and writes them for the target. Pure."""
