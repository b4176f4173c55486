"""What an old layer may have computed otherwise, and what is computed here."""

from __future__ import annotations

from collections.abc import Iterator

from layerscope.models.keras_legacy.config import Config


def notes_of(kind: str, config: Config, written: str) -> Iterator[str]:
    """The decisions about one layer that a person should know of.

    written: the version of Keras in the file, such as ``"2.2.4-tf"``, or empty.
    """
    if config.get("stateful") is True:
        yield "stateful; it starts from zeros for every batch"
    if kind == "UpSampling2D" and config.get("interpolation") == "bilinear":
        yield from _bilinear(written)
    if kind == "RandomCrop" and _version(written) < (2, 9):
        yield (
            "crops the middle of the picture and resizes it, as Keras has done since 2.9; Keras "
            f"{written or '2'} resized first and cropped then, which may differ by rounding"
        )


def _bilinear(written: str) -> Iterator[str]:
    """TensorFlow 2 places the samples in the middle of the pixels; TensorFlow 1 did not.

    The version of Keras tells TensorFlow 2 from 2.3.0-tf and 2.4 on.
    """
    version = _version(written)
    if version >= (2, 4) or (version >= (2, 3) and written.endswith("tf")):
        return
    yield (
        "bilinear upsampling takes pixels at their middle, as TensorFlow 2 and Keras 3 do; Keras "
        f"{written or '2'} may have run on TensorFlow 1, which took them at their top left corner "
        "(a shift of less than a pixel of the small map)"
    )


def _version(written: str) -> tuple[int, int]:
    parts = written.split(".")[:2]
    known = len(parts) == 2 and all(part.isdecimal() and len(part) < 6 for part in parts)
    return (int(parts[0]), int(parts[1])) if known else (0, 0)
