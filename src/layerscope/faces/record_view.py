"""``view`` of a record: what layers made of pictures while a network was trained, as a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path
from typing import Any

from PIL import Image

from layerscope.errors import InputError
from layerscope.extract import Progress
from layerscope.faces.explorer.film.choice import parse_epochs, spread
from layerscope.faces.explorer.film.film import Film
from layerscope.faces.explorer.film.frame import frame_id
from layerscope.faces.explorer.film.report import describe, render_record
from layerscope.faces.explorer.film.scales import EPOCHS_CHANNEL, check_clip
from layerscope.faces.record_kernels import MOST_INPUTS, kernel_sheet
from layerscope.faces.viewed import View
from layerscope.manifest import write_json
from layerscope.outputs import new_folder, safe_name, unique_names
from layerscope.render import Drawing, draw
from layerscope.training import storage
from layerscope.training.curves import write_curves
from layerscope.training.record import Record

_MOST_EPOCHS, _FEWEST_EPOCHS, _MOST_PICTURES = 6, 3, 24
_ROWS = 9


def view_record(
    record: Record,
    folder: Path | None = None,
    drawing: Drawing | None = None,
    *,
    epochs: str | None = None,
    scale: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
    report_limit: int = 30_000_000,
) -> View:
    """Write what a record holds as a folder (whole, or not at all).

    epochs: those whose maps are drawn, such as ``"0,10,best,last"``; by default a few, evenly
    spread. scale: ``"epochs-channel"`` (each channel's range over all epochs, the default),
    ``"epochs"`` (the layer's), or one of ``Drawing``'s. report_limit: bytes that the report
    may take. Raises InputError for a record without a single epoch.
    """
    drawing, scale = drawing or Drawing(), scale or EPOCHS_CHANNEL
    check_clip(scale, drawing.clip)
    film = Film(record)
    held = tuple(film.outlines())
    if not held:
        raise InputError(f"{record.folder} holds no epoch yet: wait for the training's first")
    chosen = _chosen(record, held, epochs)
    folder = folder or default_folder(record)
    with new_folder(folder, force=force) as temporary:
        pictures = _draw_maps(film, chosen, drawing, scale, temporary)
        kernels = _draw_kernels(film, held, temporary)
        history = record.history
        if history:
            places = {row["epoch"]: i for i, row in enumerate(history)}
            best = None if record.best is None else places.get(record.best)
            write_curves(temporary / "curves.png", history, best)
        described = describe(film, pictures, kernels)
        write_json(temporary / "manifest.json", described)
        page = render_record(film, described, report_limit, progress)
        (temporary / "report.html").write_bytes(page)
    return View(folder, described, [], record.inputs, lambda ticket: Film(record))


def as_record(given: Any) -> Record | None:
    """A Record, or the one at a path; None for anything else."""
    if isinstance(given, Record):
        return given
    if isinstance(given, str | Path) and storage.holds_record(Path(given)):
        return Record.open(given)
    return None


def view_own(
    record: Record,
    out: str | Path | None,
    network_only: Mapping[str, Any],
    *,
    force: bool,
    epochs: str | None,
    scale: str | None = None,
    **drawing: Any,
) -> View:
    """``view_record`` with the options of ``view``. network_only: those that it has no use for."""
    wrong = [name for name, value in network_only.items() if value not in (None, False)]
    if wrong:
        raise InputError(
            f"{record.folder} is a training record, whose pictures and layers were chosen when "
            f"it was recorded: leave out {', '.join(wrong)}"
        )
    folder = None if out is None else Path(out)
    return view_record(
        record, folder, Drawing.parse(**drawing), epochs=epochs, scale=scale, force=force
    )


def default_folder(record: Record) -> Path:
    """``layerscope-RECORD`` in the present folder."""
    return Path(f"layerscope-{safe_name(record.results.title)}")


def _chosen(record: Record, held: Sequence[int], epochs: str | None) -> tuple[int, ...]:
    best = record.best if record.best in held else None
    if epochs is not None:
        return parse_epochs(epochs, held, best)
    most = max(_FEWEST_EPOCHS, min(_MOST_EPOCHS, _MOST_PICTURES // len(record.inputs)))
    return spread(held, most, () if best is None else (best,))


def _draw_maps(
    film: Film, epochs: Sequence[int], drawing: Drawing, scale: str, folder: Path
) -> list[list[dict[str, Any]]]:
    """The maps of every layer and picture at some epochs; what was drawn, layer by layer."""
    (folder / "maps").mkdir()
    nodes, labels = film.nodes, film.record.inputs
    names = unique_names([node.name for node in nodes])
    tails = [f"__{i}_{safe_name(Path(label).stem)}" for i, label in enumerate(labels)]

    def one(asked: tuple[int, int, int]) -> dict[str, Any]:
        number, picture, epoch = asked
        node, run = nodes[number], film.run(frame_id(picture, epoch))
        index = "" if node.index is None else f"{node.index:03d}_"
        tail = tails[picture] if len(labels) > 1 else ""
        file = f"maps/{index}{names[node.name]}{tail}__epoch{epoch:05d}.{drawing.format}"
        scaling = film.scaling(run, number, scale, None)
        figure = draw(film.shown(run, number), **{**drawing.options(), **scaling})
        figure.save(folder / file, drawing.format)
        return {**figure.as_json(file, picture), "scale": scale, "epoch": epoch}

    asked = [
        (number, picture, epoch)
        for number in range(len(nodes))
        for picture in range(len(labels))
        for epoch in epochs
    ]
    found: list[list[dict[str, Any]]] = [[] for _ in nodes]
    with ThreadPoolExecutor(cpu_count() or 1) as pool:
        try:
            for (number, *_), drawn in zip(asked, pool.map(one, asked), strict=True):
                found[number].append(drawn)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return found


def _draw_kernels(film: Film, epochs: Sequence[int], folder: Path) -> list[str | None]:
    """Kernels over the epochs, of layers with few inputs; the file of each layer."""
    files: list[str | None] = [None] * len(film.nodes)
    names = unique_names([node.name for node in film.nodes])
    best = film.record.best
    shown = spread(epochs, _ROWS, () if best is None else (best,))
    for number in film.kernel_numbers:
        node = film.nodes[number]
        kernels = {epoch: film.kernel(number, epoch) for epoch in shown}
        if next(iter(kernels.values())).shape[1] > MOST_INPUTS:
            continue
        (folder / "kernels").mkdir(exist_ok=True)
        index = "" if node.index is None else f"{node.index:03d}_"
        files[number] = file = f"kernels/{index}{names[node.name]}.png"
        sheet = kernel_sheet(node.name, kernels, film.reach(number))
        Image.fromarray(sheet).save(folder / file)
    return files
