"""layerscope: see what every layer of a trained network makes of a picture."""
