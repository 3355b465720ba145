"""The admin plane without sockets."""
