"""The supervisor owns the listening sockets, forks control and the workers, and replaces them.

Rules: it imports the standard library, `fastpath.ipc.frames` and `fastpath.ipc.counters` only, at
module level and at run time (control and the workers import the rest after their fork), so that no
other library can crash the process that all others depend on, and none is mapped into a worker.
"""
