"""What the tests found of the files that open: the rows of the documentation's table.

A test says with ``@pytest.mark.opens`` what kind of file it opens, or sees refused; how far the
values were apart and what the refusal said is noted here while it runs. Rows of tests that passed
are written when every marked test was asked for and none failed.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[1] / "docs" / "generated" / "files.json"
_PATH = re.compile(r"(?:/[^/\s:'\"]+)+/")


@dataclass
class Seen:
    """What the test that runs now has seen.

    difference: the largest between two arrays, as a share of the layer's largest value (of 1 where
    that is smaller). refusal: the message of the last error it asked for.
    """

    difference: float | None = None
    refusal: str | None = None

    def compared(self, share: float) -> None:
        """Note how far two arrays are apart."""
        self.difference = max(share, self.difference or 0.0)

    def told(self, **about: str) -> None:
        """Note what the file itself says: era, writer, file or what."""
        self.about = about

    def refused(self, error: BaseException) -> None:
        """Note what an error says, without the folder of the file."""
        self.refusal = _PATH.sub("", str(error))


seen = Seen()


@dataclass(frozen=True)
class Row:
    """One kind of file.

    era: what wrote such files. writer: what wrote this one. file: its kind. what: what is in it.
    result: ``opens`` or ``refused``. against: what every node was compared with, where it was.
    """

    era: str
    writer: str
    file: str
    what: str
    result: str
    why: str | None
    against: str | None
    difference: float | None


def begin() -> None:
    """Forget what the test before has seen."""
    seen.difference = seen.refusal = None
    seen.about = {}


def row_of(marker: Any, params: dict[str, Any]) -> Row:
    """The row of a test that has passed.

    marker: with era, writer, file and what (``{name}`` stands for the test's parameter), and
    either against (and exact, where the test holds every bit) or refused.
    """
    told = {**marker.kwargs, **seen.about}
    what = told["what"].format(**params)
    refused = bool(told.get("refused"))
    if refused and not seen.refusal:
        raise AssertionError(f"{what}: nothing was refused; call seen.refused(error) in the test")
    against = told.get("against")
    exact = bool(told.get("exact"))
    if against and not exact and seen.difference is None:
        raise AssertionError(f"{what}: nothing was compared; call seen.compared(share)")
    return Row(
        told["era"],
        told["writer"],
        told["file"].format(**params),
        what,
        "refused" if refused else "opens",
        seen.refusal if refused else None,
        against,
        0.0 if exact else seen.difference if against else None,
    )


def write(rows: list[Row], versions: dict[str, str], path: Path = TABLE) -> None:
    """Write the table for the documentation."""
    unique = sorted({json.dumps(asdict(row)) for row in rows})
    path.parent.mkdir(parents=True, exist_ok=True)
    table = {"versions": versions, "rows": [json.loads(row) for row in unique]}
    path.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def versions() -> dict[str, str]:
    """What the tests ran on."""
    import keras
    import tensorflow as tf
    import tf_keras

    packages = {"keras": keras, "TensorFlow": tf, "tf_keras": tf_keras}
    return {name: package.__version__ for name, package in packages.items()}
