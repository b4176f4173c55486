"""Activation: one node's output for a batch. Activations: an ordered mapping of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerscope.axes import Axes
from layerscope.errors import SelectionError
from layerscope.graph import Node
from layerscope.statistics import Statistics, Tally

if TYPE_CHECKING:
    from layerscope.render import Figure


_MOST_HTML = 8_000_000


@dataclass(frozen=True)
class Activation:
    """One node's output for a batch of inputs.

    array: the values, in the model's own layout. axes: what each dimension is. node: the
    node that gave them.
    """

    array: NDArray[Any]
    axes: Axes
    node: Node

    @property
    def name(self) -> str:
        """The node's name."""
        return self.node.name

    def planes(self) -> NDArray[Any]:
        """A view with the batch first and the channels second: (batch, channels, *rest).

        Where there is no channel axis, one channel holds everything.
        """
        array = self.array
        if self.axes.batch is None:
            array = array[np.newaxis]
            channel = None if self.axes.channel is None else self.axes.channel + 1
        else:
            array = np.moveaxis(array, self.axes.batch, 0)
            channel = self.axes.channel
            if channel is not None and channel < self.axes.batch:
                channel += 1
        return array[:, np.newaxis] if channel is None else np.moveaxis(array, channel, 1)

    def channel(self, index: int) -> NDArray[Any]:
        """One channel for every sample: a view of shape (batch, *spatial).

        Raises SelectionError where the channel does not exist.
        """
        planes = self.planes()
        if not -planes.shape[1] <= index < planes.shape[1]:
            raise SelectionError(
                f"{self.name} has channels 0 to {planes.shape[1] - 1}, but channel {index} "
                "was asked for. Choose one in that range."
            )
        return planes[:, index]

    def stats(self) -> Statistics:
        """Minimum, maximum, mean, standard deviation, share of zeros and dead channels."""
        tally = Tally()
        tally.add(self.array, self.axes)
        return tally.statistics()

    def figure(self, **options: Any) -> Figure:
        """The activation as exact pixels; the options are those of ``render.draw``."""
        from layerscope.render import draw

        return draw(self, **options)

    def _repr_html_(self) -> str:
        return self.figure()._repr_html_()

    def __repr__(self) -> str:
        shape = " × ".join(map(str, self.array.shape))
        return f"<Activation {self.name}: {shape} {self.axes}, {self.array.dtype}>"


class Activations(Mapping[str, Activation]):
    """Activations in the order of the network, by node name or by number.

    ``acts["conv2d_1"]`` is looked up by name, ``acts[3]`` by the node's index in its network.
    inputs: for every sample, the records of how its inputs were made.
    """

    def __init__(self, activations: Mapping[str, Activation], inputs: Sequence[Any] = ()) -> None:
        self.inputs = tuple(inputs)
        self._by_name = dict(activations)
        self._by_index = {a.node.index: a for a in self._by_name.values()}

    def __getitem__(self, key: str | int) -> Activation:
        try:
            return self._by_name[key] if isinstance(key, str) else self._by_index[key]
        except KeyError:
            held = ", ".join(list(self._by_name)[:8])
            raise KeyError(f"{key!r} was not extracted; held are: {held}") from None

    def __contains__(self, key: object) -> bool:
        return key in self._by_name or (isinstance(key, int) and key in self._by_index)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def _repr_html_(self) -> str:
        shown: list[str] = []
        for activation in self._by_name.values():
            shown.append(activation._repr_html_())
            if sum(map(len, shown)) > _MOST_HTML and len(shown) < len(self):
                left = len(self) - len(shown)
                shown.append(f"<p>{left} more are not shown: acts[number] shows one.</p>")
                break
        return "".join(shown)

    def __repr__(self) -> str:
        more = " …" if len(self) > 6 else ""
        return f"<Activations of {len(self)} nodes: {', '.join(list(self)[:6])}{more}>"
