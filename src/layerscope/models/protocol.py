"""What every opened model can do, whatever framework it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from layerscope.graph import Graph
from layerscope.hints import Hints


@dataclass(frozen=True)
class Source:
    """Where a model came from.

    file: its path, or None for a live object. format: such as ``"keras"`` or ``"hdf5"``.
    framework: name, version and backend. sha256: of the file's bytes, or None. name: what
    output folders are called after. notes: what was decided while it was opened.
    """

    name: str
    file: str | None
    format: str
    framework: str
    sha256: str | None = None
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The source as a manifest holds it."""
        return {
            "file": self.file,
            "format": self.format,
            "framework": self.framework,
            "sha256": self.sha256,
            **({"notes": list(self.notes)} if self.notes else {}),
        }


class Model(Protocol):
    """Something opened: a Graph, and the power to run it."""

    source: Source

    @property
    def hints(self) -> Hints:
        """What the model expects of its input, as far as its layers and file tell."""

    @property
    def graph(self) -> Graph:
        """The network. Raises ModelError where the input's shape must be known first."""

    def accept(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Tell a model that does not know its input's shape the shape of a batch."""

    def run(
        self,
        feeds: Mapping[str, NDArray[Any]],
        names: Sequence[str],
        *,
        training: bool = False,
        stream: bool | None = False,
    ) -> dict[str, NDArray[Any]]:
        """The outputs of the nodes named, for one batch, in one forward pass.

        feeds: an array for every input, batch first. names: nodes, ``:pre`` values and
        attention scores. stream: more batches of this kind follow, so that compiling pays;
        None: none will, so that it never does.
        The arrays may be read-only.
        """

    def weights(self, name: str) -> dict[str, NDArray[Any]]:
        """A node's weights by role: ``kernel``, ``bias``, ``gamma`` …

        Those of convolutions and dense layers are laid out as ``explain.kernels.kernel_of`` says.
        """
