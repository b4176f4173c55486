"""Explanations as pictures, text and JSON."""
