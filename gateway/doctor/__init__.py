"""`s3gateway doctor`: looks at everything between a configuration and an answer of its targets.

    settings    the configuration, and the variables that it takes values from
    machine     whether a gateway runs here with it, or could
    network     name, addresses, TCP, TLS of a target
    answers     what a target answers to anybody: how fast, by which clock, and what it seems to be
    scratch     an object of its own, written, read, listed and deleted, where that is allowed

What credentials may do is `gateway.connect`'s business.

Rules: all targets are looked at at the same time, each within a deadline; nothing is written
unless it is asked for, and what was written is deleted; a finding holds no secret, and no text of a
target.
"""
