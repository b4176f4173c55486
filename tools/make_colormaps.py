"""Write the colour tables that layerscope ships: matplotlib's, and its own blue–white–red.

Run ``python tools/make_colormaps.py`` with matplotlib installed; it writes
``src/layerscope/render/colormaps.npz``.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

TARGET = Path(__file__).parents[1] / "src/layerscope/render/colormaps.npz"
FROM_MATPLOTLIB = (
    *("viridis", "magma", "inferno", "plasma", "cividis", "turbo"),
    *("gray", "bone", "hot", "afmhot", "copper", "jet", "rainbow", "cubehelix", "twilight"),
    *("Blues", "Greens", "Reds", "Greys", "YlGnBu"),
    *("coolwarm", "bwr", "seismic", "RdBu", "RdYlBu", "PiYG", "PRGn", "BrBG", "PuOr", "Spectral"),
)
BLUE, RED = np.deg2rad(260.0), np.deg2rad(27.0)
DARKEST = 0.36


def linear_rgb(
    lightness: NDArray[np.float64], chroma: NDArray[np.float64], hue: float
) -> NDArray[np.float64]:
    """OKLCh to linear sRGB (Ottosson 2020, "A perceptual color space for image processing")."""
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    lms = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    matrix = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    return (matrix @ lms**3).T


def largest_chroma(lightness: NDArray[np.float64], hue: float) -> NDArray[np.float64]:
    """The largest chroma inside sRGB for each lightness, by bisection."""
    low, high = np.zeros_like(lightness), np.full_like(lightness, 0.4)
    for _ in range(40):
        middle = (low + high) / 2
        rgb = linear_rgb(lightness, middle, hue)
        inside = ((rgb >= 0) & (rgb <= 1)).all(axis=1)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return low


def arm(hue: float, count: int) -> NDArray[np.float64]:
    """``count`` colours from white to the darkest, an equal distance in OKLab apart."""
    lightness = np.linspace(1.0, DARKEST, 4001)
    reach = np.minimum(largest_chroma(lightness, BLUE), largest_chroma(lightness, RED))
    smooth = np.convolve(np.pad(reach, 300, mode="edge"), np.ones(601) / 601, mode="valid")
    chroma = np.minimum(reach, smooth) * 0.92
    walked = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(lightness), np.diff(chroma)))])
    stops = np.interp(np.linspace(0, walked[-1], count), walked, np.arange(len(walked)))
    at = np.arange(len(walked))
    rgb = linear_rgb(np.interp(stops, at, lightness), np.interp(stops, at, chroma), hue)
    rgb = np.clip(rgb, 0, 1)
    coded = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)
    table = np.rint(coded * 255).astype(np.uint8)
    table[0] = 255
    return table


def main() -> None:
    """Write the tables, each of shape (entries, 3)."""
    places = np.linspace(0, 1, 256)
    tables = {name: mpl.colormaps[name](places, bytes=True)[:, :3] for name in FROM_MATPLOTLIB}
    tables["blue-white-red"] = np.concatenate([arm(BLUE, 121)[:0:-1], arm(RED, 121)])
    np.savez_compressed(TARGET, **tables)


if __name__ == "__main__":
    main()
