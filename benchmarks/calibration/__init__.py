"""Experiments against a real Temporal server and real workers that fit the constants of the model."""
