"""Files of Keras 1 and 2, opened as the Keras 3 models that compute the same."""
