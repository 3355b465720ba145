"""The model-based test: random operations, beside a dictionary that says what must come of them."""
