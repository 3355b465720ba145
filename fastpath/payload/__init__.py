"""Bodies of uploads on their way up: unframed, verified, and framed as the target takes them.

Rules: pure; nothing unverified completes: a filter lets the last bytes go only when the last
signature, checksum, trailer and length are good; memory is bounded by a piece and a chunk, whatever
a client announces; the mode is what was signed in x-amz-content-sha256, never Content-Encoding.

Not here: `Transfer-Encoding: chunked` (`framing`), who signed (`sigv4`), sending (`exchange`).
"""
