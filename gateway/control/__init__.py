"""The control process: reads the configuration, gets credentials, publishes snapshots, writes
the logs.

Rules: it may be killed at any time: workers serve on, and its replacement publishes what is in
force; nothing here is imported in the supervisor before it forks control.
"""
