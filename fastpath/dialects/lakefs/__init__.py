"""lakeFS's way of speaking S3, and S3's.

Rules: pure.

Not here: what of a request must not reach lakeFS at all (`profiles`).
"""
