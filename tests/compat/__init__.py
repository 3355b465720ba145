"""Real clients, the gateway, and real S3 servers that check every signature."""
