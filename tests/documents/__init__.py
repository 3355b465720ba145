"""What README and the documents show is executed, as a reader would."""
