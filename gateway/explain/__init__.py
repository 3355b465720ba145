"""`s3gateway explain`: what would become of a request, found out by the workers' own code.

Rules: a request is made as a client would make it, signed, and admitted as a worker admits it; no
rule of admission is written a second time here; nobody is asked and no credentials are resolved.

Not here: printing (`gateway.cli.explain`), the decision (`fastpath.request.admission`).
"""
