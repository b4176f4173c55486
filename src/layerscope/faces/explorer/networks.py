"""Networks: what is known of opened models without running them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from layerscope.activation import Activation
from layerscope.classes import imagenet_classes
from layerscope.errors import SelectionError
from layerscope.faces.explorer.opened import Opened
from layerscope.faces.explorer.runs import Run
from layerscope.faces.explorer.server.missing import NoSuchRunError
from layerscope.graph import Graph, Node
from layerscope.models import Model

if TYPE_CHECKING:
    from layerscope.faces.explorer.film.film import Film


class Networks(Opened[Run]):
    """One model, or two of the same architecture.

    classes: names for the entries of the last layer, where a person gave them.
    """

    models: Sequence[Model]
    classes: tuple[str, ...] | None

    def graph(self, model: int = 0) -> Graph:
        """The network of a model."""
        return self.models[model].graph

    def nodes(self, model: int = 0) -> tuple[Node, ...]:
        """The inputs and the nodes, in the order in which the page numbers them.

        Two models have the same at every number, though their names may differ.
        """
        graph = self.graph(model)
        return (*graph.inputs, *graph.nodes)

    def names_of_classes(self) -> tuple[str, ...] | None:
        """The names of the classes, as far as they are known."""
        if self.classes or self.models[0].hints.classes:
            return self.classes or self.models[0].hints.classes
        graph = self.graph()
        if len(graph.outputs) == 1 and graph[graph.outputs[0]].channels == 1000:
            return imagenet_classes()
        return None

    def node(self, number: int, model: int = 0) -> Node:
        """The input or node of a number. Raises SelectionError."""
        nodes = self.nodes(model)
        if not 0 <= number < len(nodes):
            raise SelectionError(
                f"There are layers 0 to {len(nodes) - 1}, but layer {number} was asked for."
            )
        return nodes[number]

    def model_number(self, number: int) -> int:
        """The number of a model. Raises SelectionError for one that is not open."""
        if not 0 <= number < len(self.models):
            raise SelectionError(
                f"There are models 0 to {len(self.models) - 1}, but model {number} was asked for."
            )
        return number

    def classes_of(self, run: Run, activation: Activation) -> Sequence[str] | None:
        """The names of the classes, for the network's last output."""
        outputs = self.graph(run.made_by.model).outputs
        return self.names_of_classes() if activation.name in outputs[-1:] else None

    def film(self) -> Film:
        """Raise NoSuchRunError: there are models here."""
        raise NoSuchRunError("There is no record of a training here, but a model.")
