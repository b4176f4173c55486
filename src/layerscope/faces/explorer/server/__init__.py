"""The explorer over HTTP, for this machine alone; and over messages."""
