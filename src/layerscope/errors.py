"""Errors that a person can mend: each says what was expected, what came, and the remedy."""

from __future__ import annotations


class LayerscopeError(Exception):
    """Base of every error that layerscope raises on purpose; its text is for the user as it is."""


class InputError(LayerscopeError):
    """A picture or array cannot be read, or cannot be made to fit the model."""


class ShapeError(InputError):
    """An array or picture cannot be fed, because of its shape.

    what: the file or array. shape: its own. input: the input of the network that it was for.
    """

    def __init__(self, message: str, what: str, shape: tuple[int, ...], input: str) -> None:
        super().__init__(message)
        self.what, self.shape, self.input = what, shape, input


class ValuesError(InputError):
    """An array cannot be fed, because of its values."""


class ModelError(LayerscopeError):
    """A model cannot be opened or run."""


class UntrustedError(ModelError):
    """A model file holds something that would run code, and ``--trust`` was not given."""


class SelectionError(LayerscopeError):
    """A layer was asked for that the network does not have."""


class OutputError(LayerscopeError):
    """A result cannot be written where it was asked for."""


class MissingExtraError(LayerscopeError):
    """An optional package is needed; the message names the command that installs it."""
