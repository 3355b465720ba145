"""The command line: what an operator types.

Rules: stdout is data, stderr is messages; a command imports what it needs when it runs, so that
`--help` and `serve` are quick; colour only on a terminal and without NO_COLOR.

Not here: what the commands do (`gateway.config`, `gateway.supervisor`, `gateway.demo`).
"""
