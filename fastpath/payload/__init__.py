"""Bodies of uploads: unframed, verified, and framed as the target takes them. Pure.

Rules: nothing unverified completes: a filter releases the last bytes only when the last signature,
checksum, trailer and length are verified; memory is bounded by one piece and one chunk, whatever a
client announces; x-amz-content-sha256 decides the mode, because it is signed, never
Content-Encoding.
"""
