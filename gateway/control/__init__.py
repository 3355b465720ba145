"""The control process: reads the configuration, resolves credentials, publishes, writes the logs.

Rules: it may be killed at any time; workers serve on, and its replacement publishes what it finds;
nothing here is imported before its fork from the supervisor.

Not here: schema and parsing (`gateway.config`), generations and workers (`gateway.supervisor`).
"""
