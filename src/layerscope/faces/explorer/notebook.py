"""What a notebook shows of a view: the explorer where anywidget is there, else the report."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

from layerscope.extract import Extraction
from layerscope.faces.explorer.opened import Opened
from layerscope.faces.explorer.work import Ticket

_LARGEST = 32_000_000
_HEIGHT = 720


def explorer_widget(make: Callable[[Ticket], Opened[Any]]) -> Any | None:
    """A widget that looks through what ``make`` opens; None without anywidget."""
    try:
        from layerscope.faces.explorer.widget import ExplorerWidget
    except ImportError:
        return None
    return ExplorerWidget(make)


def opening_of(extraction: Extraction) -> Callable[[Ticket], Opened[Any]]:
    """What opens the explorer of a model and its inputs."""

    def make(ticket: Ticket) -> Opened[Any]:
        from layerscope.faces.explorer.session import Explorer

        explorer = Explorer(
            [extraction.model], extraction.preprocessing, training=extraction.training
        )
        explorer.add_feed(extraction.feed, ticket=ticket)
        return explorer

    return make


def report_frame(report: Path) -> str:
    """A report as HTML for a notebook's cell, shut off from the notebook's own page."""
    try:
        page = report.read_text(encoding="utf-8")
    except OSError as error:
        return f"<p>{html.escape(f'{report} cannot be read: {error.strerror}')}.</p>"
    return page_frame(page, str(report))


def page_frame(page: str, name: str) -> str:
    """A page as HTML for a notebook's cell. name: what it is called where it does not fit."""
    name = html.escape(name)
    if len(page) > _LARGEST:
        return (
            f"<p>{name} has {len(page) / 1e6:,.0f} MB, too much for a cell. Open it in a browser, "
            'or install anywidget: pip install "layerscope[notebook]".</p>'
        )
    return (
        f'<iframe title="{name}" width="100%" height="{_HEIGHT}" style="border:0" '
        f'sandbox="allow-scripts allow-downloads" srcdoc="{html.escape(page)}"></iframe>'
    )
