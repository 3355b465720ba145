"""ListBuckets over several targets: what each lists, what of that the client is shown, one list."""
