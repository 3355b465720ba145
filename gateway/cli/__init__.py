"""The command line.

Rules: data goes to stdout, messages go to stderr; a command imports what it needs when it runs, so
that `--help` and `serve` are quick; colour is used on a terminal only, and not with NO_COLOR.
"""
