"""Finding out what a live target can do, by trying: `s3gateway probe`.

Rules: runs outside workers, in the command's own process; touches nothing but what it made.

Not here: the command (`gateway.cli.probe`), what capabilities are for
(`fastpath.routing.profiles`).
"""
