"""The supervisor: sockets, forks, signals, snapshots out, drain. Started by `python -m`.

Rules: stdlib, `fastpath.ipc.frames` and `fastpath.ipc.counters` only, at module level and at run
time (what control and the workers need is imported after their fork), so that nothing here can
take the process down that all others depend on, and nothing of it is mapped into a worker.

Not here: configuration and logs (`gateway.control`), serving (`fastpath`).
"""
