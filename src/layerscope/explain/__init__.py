"""Explanations: from numpy arrays and the Graph's neutral operations, never a framework."""
