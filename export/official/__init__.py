"""Weights as official code published them, in the place of a run."""
