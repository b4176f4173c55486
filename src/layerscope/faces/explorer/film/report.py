"""The report of a record: one page with as many epochs as it may hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from typing import Any

from layerscope.faces.explorer.answers.blobs import preview_blob
from layerscope.faces.explorer.film.choice import spread, told
from layerscope.faces.explorer.film.exact import over_pictures
from layerscope.faces.explorer.film.film import Film
from layerscope.faces.explorer.film.frame import frame_id
from layerscope.faces.explorer.film.plain import training_table
from layerscope.faces.explorer.report.page import Contents, Words, render_report
from layerscope.faces.explorer.report.room import deflated, in_base64
from layerscope.manifest import layerscope_version

Progress = Callable[[int, int], None]

_AROUND = 120
_PAGE = 700_000
_ROOM = 0.97


@dataclass(frozen=True)
class _Shot:
    """An epoch as a page holds it. layers: deflated. cost: characters that it takes."""

    layers: Mapping[str, bytes]
    answers: Mapping[str, bytes]
    cost: int


def render_record(
    film: Film,
    described: Mapping[str, Any],
    limit: int = 30_000_000,
    progress: Progress | None = None,
) -> bytes:
    """One HTML page that needs nothing beside it, with the maps of a training.

    described: the manifest.json beside it. limit: bytes that the page may take: epochs are
    left out evenly, and the page says so, but the first, the best and the last are there.
    """
    every = tuple(film.outlines())
    shots = _shots(film, every, limit, progress)
    epochs = tuple(shots)
    record = film.record
    answers = {
        f"runs/{frame_id(picture, epochs[0])}/preview": preview_blob(preview, None, None)
        for picture, preview in enumerate(film.previews)
    } if epochs else {}  # fmt: skip
    layers: dict[str, bytes] = {}
    for shot in shots.values():
        answers |= shot.answers
        layers |= shot.layers
    contents = Contents(
        described=described,
        page=film.manifest(epochs, growing=False),
        answers=answers,
        layers=layers,
        labels=record.inputs,
        words=Words(
            record.results.title,
            training_table(film.outlines(), record.history, record.best),
            "For a larger page use --report-limit. ",
            _rest(epochs, every, limit),
        ),
    )
    return render_report(contents, limit)


def _rest(epochs: Sequence[int], every: Sequence[int], limit: int) -> str:
    whole = "The record itself holds all of them: layerscope serve RECORD."
    if len(epochs) == len(every):
        return (
            "Values are within 1/508 of a channel's range. A training that still goes on is "
            "followed by layerscope serve RECORD."
        )
    return (
        f"To keep this page below {limit / 1e6:,.3g} MB, {len(epochs)} of {len(every)} recorded "
        f"epochs are in it: {told(epochs)}. For more use --report-limit. {whole}"
    )


def _shots(
    film: Film, every: Sequence[int], limit: int, progress: Progress | None
) -> dict[int, _Shot]:
    """As many epochs as fit, evenly spread."""
    held: dict[int, _Shot] = {}
    room = limit * _ROOM - _PAGE - sum(
        4 * picture.nbytes / 3 for picture in film.previews if picture is not None
    )  # fmt: skip
    best = film.record.best
    always = () if best is None else (best,)

    def take(epochs: Sequence[int]) -> None:
        new = [epoch for epoch in epochs if epoch not in held]
        with ThreadPoolExecutor(min(4, cpu_count() or 1)) as pool:
            for epoch, shot in zip(new, pool.map(lambda e: _shot(film, e), new), strict=True):
                held[epoch] = shot
                if progress:
                    progress(len(held), len(epochs))

    chosen = spread(every, 3, always) if every else ()
    take(chosen)
    if held:
        mean = sum(shot.cost for shot in held.values()) / len(held)
        chosen = spread(every, max(len(chosen), int(room / mean)), always)
        take(chosen)
    while len(chosen) > 3 and sum(held[epoch].cost for epoch in chosen) > room:
        fewer = spread(chosen, len(chosen) - 1, always)
        if len(fewer) == len(chosen):
            break
        chosen = fewer
    return {epoch: held[epoch] for epoch in chosen}


def _shot(film: Film, epoch: int) -> _Shot:
    layers: dict[str, bytes] = {}
    answers: dict[str, bytes] = {}
    for picture in range(len(film.record.inputs)):
        run = film.run(frame_id(picture, epoch))
        answers[f"runs/{run.id}/statistics"] = run.summary.statistics()
        answers[f"runs/{run.id}/thumbnails"] = run.summary.thumbnails()
        for number in range(len(film.nodes)):
            layers[f"runs/{run.id}/layers/{number}"] = deflated(film.layer(run, number))
    for number in film.kernel_numbers:
        answers[f"kernels/{number}/{epoch}"] = film.kernels(number, epoch)
    sizes = [*map(len, layers.values()), *(len(deflated(one)) for one in answers.values())]
    return _Shot(layers, answers, sum(in_base64(size) + _AROUND for size in sizes))


def describe(
    film: Film,
    pictures: Sequence[Sequence[Mapping[str, Any]]] | None = None,
    kernels: Sequence[str | None] | None = None,
) -> dict[str, Any]:
    """The manifest.json of what ``view`` writes of a record.

    Figures are of the last epoch, over all pictures. pictures, kernels: by layer, the files
    that were drawn.
    """
    record = film.record
    told = film.fresh()["record"]
    last = told["epochs"][-1]
    nodes = []
    for number, node in enumerate(film.nodes):
        held, kept = record.quantized(last, node.name), record.statistics(last, node.name)
        one = {**node.as_json(), "statistics": over_pictures(held, kept).as_json()}
        one["pictures"] = [] if pictures is None else list(pictures[number])
        if kernels is not None and kernels[number] is not None:
            one["kernels"] = kernels[number]
        nodes.append(one)
    model = {"file": record.file, "format": "training record", "framework": record.framework}
    return {
        "layerscope": layerscope_version(),
        "model": {**model, "sha256": None},
        "record": {"title": record.results.title, **told},
        "inputs": [dict(one) for one in record.records],
        "nodes": nodes,
        "findings": [],
    }
