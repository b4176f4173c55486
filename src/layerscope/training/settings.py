"""What a training run is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from layerscope.errors import InputError
from layerscope.inputs import Preprocessing

_FREE = ("epochs", "watch", "watch_every")


@dataclass(frozen=True)
class Settings:
    """How to train; the defaults are those of the usual cats-and-dogs network.

    epochs: how many in all. steps: batches of an epoch. validation_steps: batches that an
    epoch is measured on, at most. batch: pictures of a batch. size: ``"HxW"`` in pixels. seed:
    of the weights, the order and the variations. optimizer: Keras's name of one.
    learning_rate: above 0. validation: the share (0 to 1) of the pictures that is set aside,
    where the data are one folder of classes. augment: whether pictures are varied. model: the
    network to train, None for the usual one. range, color: as ``Preprocessing`` has them.
    watch: pictures whose maps are recorded. watch_every: after every so many epochs.

    Raises InputError where a value makes no sense.
    """

    epochs: int = 30
    steps: int = 100
    validation_steps: int = 50
    batch: int = 20
    size: str | None = None
    seed: int = 0
    optimizer: str | None = None
    learning_rate: float | None = None
    validation: float | None = None
    augment: bool = False
    model: str | None = None
    range: str | None = None
    color: str | None = None
    watch: tuple[str, ...] = ()
    watch_every: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "steps", "validation_steps", "batch", "watch_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{option(name)} must be at least 1, and is {getattr(self, name)}")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"--seed must lie between 0 and {2**32 - 1}, and is {self.seed}")
        if self.learning_rate is not None and not 0 < self.learning_rate < float("inf"):
            raise InputError(f"--learning-rate must be above 0, and is {self.learning_rate:g}")
        if self.validation is not None and not 0 < self.validation < 1:
            raise InputError(
                f"--validation must lie between 0 and 1, such as 0.2, and is {self.validation:g}"
            )
        _ = self.preprocessing

    @property
    def preprocessing(self) -> Preprocessing:
        """What was asked of the preprocessing."""
        return Preprocessing.parse(self.size, range=self.range, color=self.color)

    @classmethod
    def settle(cls, given: Mapping[str, Any], stored: Mapping[str, Any] | None = None) -> Settings:
        """Settings from what was given (None is not given), and what a run was started with.

        stored: those of the run that is to go on; how long it runs and what is watched may
        differ. Raises InputError where another does.
        """
        asked = {name: value for name, value in given.items() if value is not None}
        if stored is None:
            return cls(**asked)
        known = {field.name for field in fields(cls)}
        stored = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in stored.items()
            if name in known
        }
        for name, value in asked.items():
            if name not in _FREE and value != stored.get(name):
                raise InputError(
                    f"the training that is to go on was started with {_said(name, stored)}, but "
                    f"{_said(name, asked)} is given: leave it out, or start anew with --force"
                )
        return cls(**{**stored, **asked})

    def as_json(self) -> dict[str, Any]:
        """The settings as a run's description holds them."""
        return asdict(self)


def option(name: str) -> str:
    """A setting as it is called on the command line: ``--validation-steps``."""
    return "--" + name.replace("_", "-")


def _said(name: str, values: Mapping[str, Any]) -> str:
    value = values.get(name)
    if value is None or value is False:
        return f"no {option(name)}"
    return option(name) if value is True else f"{option(name)} {value}"
