"""Tests of `gateway.connect`."""
