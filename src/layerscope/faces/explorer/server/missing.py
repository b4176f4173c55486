"""Errors of requests for what is not there, or not possible as things are."""

from __future__ import annotations

from layerscope.errors import LayerscopeError


class NoSuchRunError(LayerscopeError):
    """A run was asked for that is not there, or not any more."""


class ConflictError(LayerscopeError):
    """What is asked for is possible, but not as things are now."""


class NotReadyError(LayerscopeError):
    """The model is not open yet."""


class RequestError(LayerscopeError):
    """A request's parameter is not of its kind."""
