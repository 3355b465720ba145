"""`s3gateway repair`: finds in a log what the gateway left at targets, and removes it.

Rules: nothing is read but the log and the configuration; nothing is removed but what a repair line
names (`fastpath.ipc.repair_lines`), and not while its copy may still run; all of it may be done
again at any time.
"""
