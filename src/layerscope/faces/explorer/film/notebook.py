"""What a notebook shows of a record: the explorer where anywidget is there, else a report."""

from __future__ import annotations

from typing import Any

from layerscope.faces.explorer.film.film import Film
from layerscope.faces.explorer.film.report import describe, render_record
from layerscope.faces.explorer.notebook import explorer_widget, page_frame
from layerscope.training.record import Record


def bundle(record: Record, **wishes: Any) -> Any:
    """A record by the types of what a notebook can show."""
    widget = explorer_widget(lambda ticket: Film(record))
    if widget is not None:
        return widget._repr_mimebundle_(**wishes)
    film = Film(record)
    said = {"text/plain": repr(record)}
    if not film.outlines():
        return said
    page = render_record(film, describe(film)).decode("utf-8")
    return {"text/html": page_frame(page, str(record.folder)), **said}
