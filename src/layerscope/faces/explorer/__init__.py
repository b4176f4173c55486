"""The explorer: one page to look through a network."""
