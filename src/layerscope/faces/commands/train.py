"""The command ``layerscope train``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from layerscope.faces.commands import options as o

_RUN = "Training"
_WATCH = "Recording"

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="A folder with ``train`` and ``validation``, each with a subfolder of pictures for "
        "every class; or the classes' folders themselves, with ``--validation``.",
    ),
]
Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="MODEL.keras", help="The network's file.")
]
Epochs = Annotated[
    int | None, typer.Option(metavar="N", help="Epochs in all [30].", rich_help_panel=_RUN)
]
Steps = Annotated[
    int | None, typer.Option(metavar="N", help="Batches of an epoch [100].", rich_help_panel=_RUN)
]
ValidationSteps = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Batches that an epoch is measured on, at most [50].",
        rich_help_panel=_RUN,
    ),
]
Batch = Annotated[
    int | None, typer.Option(metavar="N", help="Pictures of a batch [20].", rich_help_panel=_RUN)
]
Validation = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Share of the pictures of each class to measure on, such as 0.2, where DATA is one "
        "folder of classes.",
        rich_help_panel=_RUN,
    ),
]
Optimizer = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="One of Keras's optimizers [rmsprop].", rich_help_panel=_RUN),
]
LearningRate = Annotated[
    float | None,
    typer.Option(metavar="RATE", help="The optimizer's step [0.0001].", rich_help_panel=_RUN),
]
Seed = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Of the weights, the order of the pictures and their variations [0].",
        rich_help_panel=_RUN,
    ),
]
Augment = Annotated[
    bool,
    typer.Option(
        "--augment",
        help="Mirror, turn, cut, stretch, shift and tint each picture at random.",
        rich_help_panel=_RUN,
    ),
]
OwnModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="FILE.py:function or a saved Keras model to train, in place of the usual network.",
        rich_help_panel=_RUN,
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Refuse files that cannot be read as a picture; else they are skipped.",
        rich_help_panel=_RUN,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on from the last finished epoch, with the settings that it was started with.",
        rich_help_panel=_RUN,
    ),
]
Watch = Annotated[
    list[str] | None,
    typer.Option(
        metavar="INPUT",
        help="Record every layer's maps of this picture as training goes on. Repeatable.",
        rich_help_panel=_WATCH,
    ),
]
WatchEvery = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Record after every so many epochs [1].", rich_help_panel=_WATCH
    ),
]


def train(
    data: Data,
    output: Output,
    epochs: Epochs = None,
    steps: Steps = None,
    validation_steps: ValidationSteps = None,
    batch: Batch = None,
    validation: Validation = None,
    optimizer: Optimizer = None,
    learning_rate: LearningRate = None,
    seed: Seed = None,
    augment: Augment = False,
    model: OwnModel = None,
    strict: Strict = False,
    resume: Resume = False,
    watch: Watch = None,
    watch_every: WatchEvery = None,
    size: o.Size = None,
    range: o.Range = None,
    color: o.Color = None,
    custom: o.Custom = None,
    trust: o.Trust = False,
    backend: o.Backend = None,
    force: o.Force = False,
    debug: o.Debug = False,
) -> None:
    """Train a network to tell the pictures of a folder apart, and keep the best.

    Beside MODEL.keras comes the folder MODEL.training: history.csv, curves.png, the confusion
    matrix over the validation pictures, and what ``--resume`` and ``--watch`` need.
    """
    from layerscope.faces.commands.train_progress import Showing, told
    from layerscope.faces.terminal import plain, say
    from layerscope.models.quiet import hush
    from layerscope.training.run import train as run

    hush.set("--debug" not in sys.argv)
    given: dict[str, Any] = {
        "epochs": epochs,
        "steps": steps,
        "validation_steps": validation_steps,
        "batch": batch,
        "validation": validation,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "seed": seed,
        "augment": augment or None,
        "model": model,
        "size": size,
        "range": range,
        "color": color,
        "watch": tuple(watch) if watch else None,
        "watch_every": watch_every,
    }
    with Showing() as showing:
        outcome = run(
            data, output, given,
            resume=resume, strict=strict, force=force,
            custom=custom, trust=trust, backend=backend, listener=showing,
        )  # fmt: skip
    for line in told(outcome):
        say(plain(line))
    if outcome.stopped:
        raise typer.Exit(130)
