"""What the commands print: tables, messages and progress, with every name made harmless."""

from __future__ import annotations

import operator
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from layerscope.extract import Progress
from layerscope.graph import Graph, Node

if TYPE_CHECKING:
    from layerscope.explain.fields import Field

_PATIENCE = 2.0


def plain(text: object) -> str:
    """Text that cannot steer a terminal: control characters are written as escapes.

    >>> plain("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def say(text: str = "") -> None:
    """Print one line to stdout."""
    print(text)


def complain(text: str) -> None:
    """Print one message to stderr."""
    print(f"layerscope: {text}", file=sys.stderr)


def counted(number: int, thing: str) -> str:
    """A number of things: ``1 layer``, ``3,456 parameters``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def layer_table(graph: Graph, fields: Mapping[str, Field | None] | None = None) -> str:
    """Every node: index, name, type, output shape with its axes, parameters.

    fields: receptive fields, shown where they are given.
    """
    rows = [("", "layer", "type", "output shape", "axes", "parameters")]
    rows.extend(
        ("in", plain(node.name), plain(node.type), shape(node), str(node.axes), "")
        for node in graph.inputs
    )
    for node in graph.nodes:
        count = "shared" if node.shared and node.parameters else f"{node.parameters:,}"
        rows.append(
            (str(node.index), plain(node.name), kind(node), shape(node), str(node.axes), count)
        )
    if fields is not None:
        every = [_field(fields.get(node.name)) for node in (*graph.inputs, *graph.nodes)]
        own = [("sees", "stride", "padding"), *every]
        table = _columns(map(operator.add, rows, own), right={0, 5, 6, 7, 8})
    else:
        table = _columns(rows, right={0, 5})
    return f"{table}\n\n{counted(graph.parameters, 'parameter')} in {counted(len(graph), 'layer')}"


def run_table(nodes: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]) -> str:
    """A line a layer: name, type, shape, and figures of its values. nodes: of a manifest."""
    rows = [("", "layer", "type", "output shape", "axes", "min", "mean", "max", "zeros", "dead")]
    for node in nodes:
        figures = node["statistics"]
        numbers = [_number(figures[key]) for key in ("min", "mean", "max")]
        zeros = "" if figures["zeros"] is None else f"{100 * figures['zeros']:.0f} %"
        rows.append(
            (
                "" if node["index"] is None else str(node["index"]),
                plain(node["name"]),
                kinds[node["name"]],
                _shape(node["shape"]),
                node["axes"],
                *numbers,
                zeros,
                str(len(figures["dead"]) or ""),
            )
        )
    return _columns(rows, right={0, 5, 6, 7, 8, 9})


def film_table(nodes: Sequence[Node], record: Mapping[str, Any]) -> str:
    """A line a layer: zeros and dead channels at the first, the kept and the last epoch.

    record: what the epochs come to, as the manifest has it.
    """
    epochs = record["epochs"]
    shown = sorted({epochs[0], epochs[-1], *({record["best"]} & set(epochs))})
    places = [epochs.index(epoch) for epoch in shown]
    words = [f"epoch {epoch}" if i == 0 else str(epoch) for i, epoch in enumerate(shown)]
    heads = (*(f"zeros, {w}" if i == 0 else w for i, w in enumerate(words)),)
    deads = (*(f"dead, {w}" if i == 0 else w for i, w in enumerate(words)),)
    rows: list[tuple[str, ...]] = [
        ("", "layer", "type", "output shape", "channels", *heads, *deads)
    ]
    for number, node in enumerate(nodes):
        zeros = [record["zeros"][number][i] for i in places]
        rows.append(
            (
                "" if node.index is None else str(node.index),
                plain(node.name),
                kind(node),
                shape(node),
                f"{record['channels'][number]:,}",
                *("" if share is None else f"{100 * share:.0f} %" for share in zeros),
                *(str(record["dead"][number][i]) for i in places),
            )
        )
    return _columns(rows, right={0, *range(4, len(rows[0]))})


def kind(node: Node) -> str:
    """A node's type with its few numbers: ``Conv2D 32, 3×3, relu``."""
    summary = node.operation.summary()
    return plain(f"{node.type} {summary}" if summary else node.type)


def shape(node: Node) -> str:
    """A node's output shape as Keras prints it: ``(None, 148, 148, 32)``."""
    return _shape(node.shape)


def _shape(sizes: Sequence[int | None]) -> str:
    return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"


def _field(field: Field | None) -> tuple[str, ...]:
    if field is None:
        return "–", "", ""
    size, stride, padding = field.as_json().values()
    brief = ([numbers[0]] if len({*numbers}) == 1 else numbers for numbers in (stride, padding))
    return (_times(size), *map(_times, brief))


def _times(numbers: Iterable[float]) -> str:
    return "×".join(f"{number:g}" for number in numbers)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _columns(rows: Iterable[Sequence[str]], right: set[int]) -> str:
    rows = list(rows)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


@contextmanager
def progress(what: str) -> Iterator[Progress | None]:
    """A progress bar for work of more than two seconds; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task(what, total=None)
    start = time.monotonic()

    def advance(done: int, total: int) -> None:
        if not bar.live.is_started and time.monotonic() - start > _PATIENCE and done < total:
            bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield advance
    finally:
        bar.stop()
