"""Requests about one key, or a bucket, that several targets may have."""
