"""Renaming: a request's names become the target's, and the names in its response the client's.

    client -> renaming -> dialect -> target -> dialect -> renaming -> client

Rules: pure; a dialect sees only the target's names, a client only its own; what cannot be renamed
is refused: no name of the one side ever passes for one of the other.
"""
