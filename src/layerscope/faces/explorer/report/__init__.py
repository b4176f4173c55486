"""The explorer as one page with everything in it, and as text where scripts do not run."""
