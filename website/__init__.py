"""What makes the documentation's site: generated pages and diagrams, and the hooks of MkDocs."""
