"""What each command does: its options, its words on the terminal."""
