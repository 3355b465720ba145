"""What makes a release: the distributions, the list of licences, the bill of materials."""
