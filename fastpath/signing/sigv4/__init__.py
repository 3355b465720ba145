"""AWS Signature Version 4: verifies what clients sign, signs what the target gets.

Rules: no sockets and no clock (`now` is always a parameter, in epoch seconds); one canonical form
for both directions (`canonical`); values that depend on a secret are compared in constant time.
"""
