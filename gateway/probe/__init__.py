"""`s3gateway probe`: finds out what a live target can do by sending requests to it.

Rules: it runs in the process of the command, not in a worker; it changes only what it made itself.
"""
