"""A white sheet to draw smooth lines and text on, by Pillow alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from layerscope.outputs import new_file
from layerscope.render.text import clean

Point = tuple[float, float]
Color = str | tuple[int, int, int]

INK, SOFT, FAINT = "#1c2733", "#66727f", "#e4e8ec"
TRAINING, VALIDATION = "#2b6cb0", "#c8551b"

# Pixels per unit in the file, and how much larger it is drawn before it is averaged down.
_FINAL, _FINER = 2, 2


class Canvas:
    """A sheet of ``width`` × ``height`` units, the origin at the top left."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._scale = _FINAL * _FINER
        size = (round(width * self._scale), round(height * self._scale))
        self._image = Image.new("RGB", size, "white")
        self._pen = ImageDraw.Draw(self._image)

    def text(
        self, at: Point, text: str, *, size: float = 11, color: Color = INK, anchor: str = "ls"
    ) -> None:
        """One line of text. anchor: Pillow's, such as ``"ls"`` for left, on the baseline."""
        self._pen.text(self._to(at), _drawn(text), color, self._font(size), anchor)

    def text_width(self, text: str, size: float = 11) -> float:
        """How wide a text is, in units."""
        return float(self._font(size).getlength(_drawn(text))) / self._scale

    def fitted(self, text: str, width: float, size: float = 11) -> str:
        """A text that is at most so wide, its end left out where it must be."""
        shown = _drawn(text)
        if self.text_width(shown, size) <= width:
            return shown
        while shown and self.text_width(f"{shown}...", size) > width:
            shown = shown[:-1]
        return f"{shown}..."

    def line(self, points: Sequence[Point], color: Color, width: float = 1) -> None:
        """A line through points, with round corners and ends."""
        drawn = [self._to(point) for point in points]
        thick = round(width * self._scale)
        self._pen.line(drawn, color, thick, joint="curve")
        if width > 1:
            for x, y in (drawn[0], drawn[-1]):
                reach = thick / 2
                self._pen.ellipse((x - reach, y - reach, x + reach, y + reach), color)

    def dots(self, start: Point, end: Point, color: Color) -> None:
        """A vertical dotted line."""
        y = start[1]
        while y < end[1]:
            self.line([(start[0], y), (start[0], min(y + 2, end[1]))], color)
            y += 5

    def disc(self, at: Point, radius: float, color: Color) -> None:
        """A filled circle with a white rim."""
        x, y = self._to(at)
        for reach, fill in (((radius + 1.5) * self._scale, "white"), (radius * self._scale, color)):
            self._pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill)

    def box(self, left: float, top: float, right: float, bottom: float, color: Color) -> None:
        """A filled rectangle."""
        (x0, y0), (x1, y1) = self._to((left, top)), self._to((right, bottom))
        self._pen.rectangle((x0, y0, x1 - 1, y1 - 1), color)

    def save(self, path: Path) -> None:
        """Write it as a PNG, whole or not at all."""
        with new_file(path, own=True) as temporary:
            self._image.reduce(_FINER).quantize(128).save(temporary, "PNG")

    def _to(self, point: Point) -> Point:
        return point[0] * self._scale, point[1] * self._scale

    def _font(self, size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.load_default(size * self._scale)


def _drawn(text: str) -> str:
    """Text that the built-in face can draw: it has no × and no minus sign."""
    return clean(text).replace("×", "x").replace("−", "-")
