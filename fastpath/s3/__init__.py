"""What S3 says: operations, addresses, conditions, error documents. Pure."""
