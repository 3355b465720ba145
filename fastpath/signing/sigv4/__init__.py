"""AWS Signature Version 4: verifying what clients sign, signing what goes upstream.

Rules: pure, no sockets and no clock (`now` is always a parameter, in epoch seconds); one canonical
form for both directions (`canonical`); nothing that depends on a secret is compared in a way that
takes longer the more of it is right.

Not here: what an identity may do (`identities`), bodies and their digests (`exchange`).
"""
