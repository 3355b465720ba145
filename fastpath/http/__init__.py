"""HTTP/1.1 messages: heads, framing, queries, hop-by-hop fields, content codings. Pure."""
