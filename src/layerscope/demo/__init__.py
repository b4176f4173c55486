"""The model and the picture that `layerscope demo` shows; MODEL_CARD.md says where from."""
