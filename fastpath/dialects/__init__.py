"""Targets that speak S3 with differences: what is translated for each.

Rules: pure.

Not here: what a target can do (`profiles`).
"""
