"""The worker process, and what all connections of one worker share."""
