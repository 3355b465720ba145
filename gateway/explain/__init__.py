"""`s3gateway explain`: what would become of a request, according to the workers' own code.

Rules: the request is made and signed as a client would do it, and admitted as a worker does it; no
rule of admission is implemented a second time here; nothing is sent, and no credentials are
resolved.
"""
