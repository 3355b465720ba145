"""ListObjects over several places: the pages of each, what of them is shown, one sorted list."""
