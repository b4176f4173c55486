"""The report: a run of ``view`` as one page that needs no network and no server."""

from layerscope.faces.report.page import render_report

__all__ = ["render_report"]
