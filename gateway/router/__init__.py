"""The router process: it runs the operator's own `route_request`, and nothing else of the gateway.

Rules: the standard library, the messages of `fastpath` and the
operator's code only; it is started
as a fresh interpreter, so that no memory of the supervisor, which holds secrets, is in it.
"""
