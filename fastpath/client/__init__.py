"""One client connection: cuts requests out of its bytes, writes answers, ends in time."""
