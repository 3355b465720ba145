"""Whatever a parser is given, it ends in an S3 error or a success: no other exception, no hang."""
