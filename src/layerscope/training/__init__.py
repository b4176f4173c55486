"""Training a network on folders of pictures, and recording its feature maps meanwhile."""
