"""The configuration, from text to snapshot."""
