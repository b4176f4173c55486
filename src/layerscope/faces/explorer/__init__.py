"""The explorer: one page to look through a network, served, in a notebook, or as a report."""
