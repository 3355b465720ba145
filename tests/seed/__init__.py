"""The seed document's examples, word for word, and what they must do."""
