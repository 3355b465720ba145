"""From a request's head to what is done with it, and the head that goes upstream. Pure."""
