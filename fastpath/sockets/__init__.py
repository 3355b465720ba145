"""Sockets and the kernel: write queues, splice(2), resets, TLS contexts."""
