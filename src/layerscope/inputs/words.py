"""Words, paths, arrays and mappings → which input of the network is fed what."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from layerscope.errors import InputError
from layerscope.inputs.arrays import names_in, numbers
from layerscope.inputs.files import Found, exists, find
from layerscope.inputs.record import Array
from layerscope.inputs.target import Target

_TRUTH = {"true": 1.0, "yes": 1.0, "on": 1.0, "false": 0.0, "no": 0.0, "off": 0.0}

Source: TypeAlias = "Found | Array | Image.Image"


@dataclass
class Assignment:
    """What each input is fed.

    sources: files and arrays by input. numbers: for inputs that are given one number. passed:
    names of files in folders that are neither picture nor array.
    """

    sources: dict[str, list[Source]] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    passed: list[str] = field(default_factory=list)


def assign(inputs: Any, targets: Mapping[str, Target], main: str | None) -> Assignment:
    """Sort what the user gave by the network's inputs.

    main: the input that takes what is not named, where there are several.
    """
    sorter = _Sorter(targets, main)
    if isinstance(inputs, Mapping):
        for name, value in inputs.items():
            if name not in targets:
                raise InputError(f"the model has no input {name!r}; it has {sorter.names}")
            sorter.give(name, value)
    else:
        for item in inputs if _is_list(inputs) else [inputs]:
            sorter.place(item)
    sorter.check_complete()
    return sorter.result


class _Sorter:
    def __init__(self, targets: Mapping[str, Target], main: str | None) -> None:
        self.targets = targets
        self.result = Assignment()
        self.names = ", ".join(repr(name) for name in targets) or "none"
        wide = [name for name, target in targets.items() if not target.is_setting]
        self.main = main or (wide[0] if len(wide) == 1 else None)
        if self.main is None and len(targets) == 1:
            self.main = next(iter(targets))

    def place(self, item: Any) -> None:
        """One thing without a name of its own, or a word ``name=file``."""
        if isinstance(item, str) and "=" in item and not exists(Path(item)):
            name = self._named(item)
            if name is None:
                raise InputError(
                    f"no such file: {item}; and no input is named "
                    f"{item.partition('=')[0]!r}: the model has {self.names}"
                )
            self.give(name, item[len(name) + 1 :])
        elif self.main is not None:
            self.give(self.main, item)
        elif not self._spread(item):
            raise InputError(
                f"the model has several inputs, {self.names}: say which one is meant, as in "
                f"{next(iter(self.targets), 'name')}={_shown(item)}"
            )

    def give(self, name: str, value: Any) -> None:
        """Feed a value to an input."""
        if self.targets[name].takes_number and (number := _number(value)) is not None:
            self.result.numbers[name] = number
            return
        mine = self.result.sources.setdefault(name, [])
        if isinstance(value, (str, Path)):
            found, passed = find(value)
            mine += found
            self.result.passed += passed
        elif isinstance(value, Image.Image):
            mine.append(value)
        elif _is_list(value):
            for item in value:
                self.give(name, item)
        elif isinstance(value, Mapping) or value is None:
            raise InputError(
                f"input {name!r} is given {type(value).__name__}: expected a path, an array, or "
                "a list of them"
            )
        else:
            mine.append(numbers(value, f"the value for input {name!r}"))

    def check_complete(self) -> None:
        """Every input but those of one number must be fed; those the model can set itself."""
        given = {name for name, sources in self.result.sources.items() if sources}
        given |= self.result.numbers.keys()
        missing = [n for n, t in self.targets.items() if n not in given and not t.is_setting]
        if missing and len(missing) == len(self.targets):
            raise InputError(f"no input was given: the model takes {self.names}")
        if missing:
            words = ", ".join(repr(name) for name in missing)
            raise InputError(f"nothing was given for input {words}: add {missing[0]}=FILE")

    def _named(self, word: str) -> str | None:
        names = [name for name in self.targets if word.startswith(f"{name}=")]
        return max(names, key=len, default=None)

    def _spread(self, item: Any) -> bool:
        """Feed each array of one .npz or .mat file to the input of its name."""
        if not isinstance(item, (str, Path)):
            return False
        found, _ = find(item)
        if len(found) != 1 or found[0].key is not None:
            return False
        names = [name for name in names_in(found[0]) if name in self.targets]
        for name in names:
            self.give(name, f"{os.fspath(item)}:{name}")
        return bool(names)


def _is_list(value: Any) -> bool:
    """A list of things to feed, and not one array written as a list of numbers."""
    return isinstance(value, (list, tuple)) and not _is_numeric(value)


def _is_numeric(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return len(value) > 0 and all(_is_numeric(item) for item in value)
    return isinstance(value, (bool, int, float, np.number))


def _number(value: Any) -> float | None:
    """One number from a word or a value, or None where it is none."""
    if isinstance(value, str):
        try:
            return _TRUTH[value.strip().lower()]
        except KeyError:
            pass
        try:
            return float(value)
        except ValueError:
            return None
    if isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "biuf":
        return float(value)
    if isinstance(value, (bool, int, float, np.number, np.bool_)):
        return float(value)
    return None


def _shown(item: Any) -> str:
    return os.fspath(item) if isinstance(item, (str, Path)) else "…"
