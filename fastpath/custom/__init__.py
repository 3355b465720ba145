"""The operator's own router: questions to its process, and what its answers mean."""
