"""What the page is given: the network, maps, figures and explanations, as JSON and containers."""
