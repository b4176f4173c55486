"""What a person touches: the command line, the page of `view`, the explorer, the widget."""
