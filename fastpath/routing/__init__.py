"""The compiled configuration: snapshot, targets, identities, rules. Pure."""
