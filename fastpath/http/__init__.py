"""What HTTP/1.1 says: heads, framing, queries, hop-by-hop fields, content codings. Pure."""
