"""What `s3gateway doctor` finds, without sockets."""
