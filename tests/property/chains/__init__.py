"""The model-based test of chains: clients at once, in every order of what goes upstream."""
