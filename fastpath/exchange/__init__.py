"""One request and its answer, between a client's connection and a target's."""
