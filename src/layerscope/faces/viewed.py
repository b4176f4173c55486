"""View: what ``view`` wrote, which shows itself in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from layerscope.faces.explorer.notebook import explorer_widget, report_frame
from layerscope.faces.explorer.opened import Opened
from layerscope.faces.explorer.work import Ticket


@dataclass(frozen=True)
class View:
    """What ``view`` wrote: the folder, its manifest, and what the classifier says per input.

    It shows itself in a notebook: as the explorer where anywidget is there, else as the report.
    labels: a short name of each input. opening: opens what was seen, to look through it.
    """

    folder: Path
    manifest: dict[str, Any] = field(repr=False)
    predictions: list[list[tuple[str, float]]]
    labels: tuple[str, ...]
    opening: Callable[[Ticket], Opened[Any]] | None = field(default=None, repr=False, compare=False)

    @property
    def report(self) -> Path:
        """The page to open."""
        return self.folder / "report.html"

    @cached_property
    def _widget(self) -> Any:
        return None if self.opening is None else explorer_widget(self.opening)

    def _repr_mimebundle_(self, **wishes: Any) -> Any:
        if self._widget is not None:
            return self._widget._repr_mimebundle_(**wishes)
        return {"text/html": report_frame(self.report), "text/plain": repr(self)}
