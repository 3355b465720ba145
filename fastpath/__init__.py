"""The data plane: bytes in, one decision, bytes out.

Data flows one way: head -> address -> operation -> identity -> decision -> upstream -> reply.

Rules: stdlib, httptools, awscrt's checksums and (when installed) uvloop only; never `gateway`; no
Rust extension module is ever mapped into a worker; no file is read after start; pure modules (bytes
in, bytes out) sit below the protocols that use them.
"""
