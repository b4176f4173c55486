"""Opened: what a page looks through, as the addresses that only read ask for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from layerscope.activation import Activation
from layerscope.faces.explorer.answers.summary import Summary
from layerscope.faces.explorer.work import Ticket
from layerscope.inputs.record import Array
from layerscope.render import Group
from layerscope.render.options import Channels

if TYPE_CHECKING:
    from layerscope.faces.explorer.film.film import Film
    from layerscope.faces.explorer.session import Explorer


class Shown(Protocol):
    """What is told of a run, whatever it comes from; the fields are those of ``Run``."""

    @property
    def preview(self) -> Array | None:
        """The picture as the network saw it."""

    @property
    def original(self) -> tuple[Array, tuple[int, int]] | None:
        """The picture before that, perhaps smaller, and its own height and width."""

    @property
    def summary(self) -> Summary:
        """Figures and a small picture of every layer."""


AnyRun = TypeVar("AnyRun", bound=Shown)


class Opened(ABC, Generic[AnyRun]):
    """Models and their runs, or the record of a training. Any thread may call any method."""

    @abstractmethod
    def manifest(self) -> dict[str, Any]:
        """The manifest that a page begins with."""

    @abstractmethod
    def run(self, id: str) -> AnyRun:
        """An open run. Raises NoSuchRunError."""

    @abstractmethod
    def shown(
        self, run: AnyRun, number: int, ticket: Ticket | None = None, minus: str | None = None
    ) -> Activation:
        """A layer's values for one run, as a batch of one. minus: a run that is subtracted."""

    @abstractmethod
    def layer(
        self, run: AnyRun, number: int, ticket: Ticket | None = None, minus: str | None = None
    ) -> bytes:
        """Every map of a layer as a container. minus: another run, to show the difference."""

    @abstractmethod
    def scaling(self, run: AnyRun, number: int, scale: str, minus: str | None) -> dict[str, Any]:
        """The options of ``draw`` that say what colours span, for a scale as a page calls it."""

    @abstractmethod
    def groups(
        self, run: AnyRun, activation: Activation, chosen: Channels | None = None
    ) -> tuple[Group, ...] | None:
        """The branches that a layer's channels come from. chosen: the channels drawn."""

    @abstractmethod
    def classes_of(self, run: AnyRun, activation: Activation) -> Sequence[str] | None:
        """The names of the entries of a layer, of the one that says what a picture shows."""

    @abstractmethod
    def live(self) -> Explorer:
        """The explorer of models that can run. Raises ConflictError where there are none."""

    @abstractmethod
    def film(self) -> Film:
        """The record of a training. Raises NoSuchRunError where there is none."""
