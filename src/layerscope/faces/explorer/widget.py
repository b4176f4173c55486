"""The explorer as a notebook's widget, on anywidget."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from layerscope.faces.explorer.opened import Opened
from layerscope.faces.explorer.server.correspondent import Correspondent
from layerscope.faces.explorer.server.site import Site
from layerscope.faces.explorer.work import Ticket

_STATIC = files("layerscope.faces.explorer") / "static"


class ExplorerWidget(anywidget.AnyWidget):
    """The page in a cell, answered by the notebook's own process.

    height: pixels that the cell gives it.
    """

    _esm = (_STATIC / "explorer.js").read_text(encoding="utf-8")
    _css = (_STATIC / "explorer.css").read_text(encoding="utf-8")
    height = traitlets.Int(720).tag(sync=True)

    def __init__(self, make: Callable[[Ticket], Opened[Any]], **options: Any) -> None:
        super().__init__(**options)
        self.site = Site()
        self.correspondent = Correspondent(self.site, self._reply)
        self.on_msg(self._take)
        self.site.start(make)

    def close(self) -> None:
        """Take it off the page, and end what it was doing."""
        self.correspondent.close()
        self.site.close()
        super().close()

    def _reply(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self.send(content, buffers)

    def _take(self, widget: Any, content: Any, buffers: Any) -> None:
        self.correspondent.take(content, buffers)
