"""The diagrams of docs/diagrams: a module for each, whose `draw` returns its picture."""
