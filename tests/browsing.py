"""A real browser for tests, and the explorer served to it by the real command."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PAINTED = ".wall-frame[data-painted]"


def chromium() -> str:
    """The browser's program."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "expected chromium to be installed: apt-get install chromium"
    return found


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser with a fresh profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(*arguments: str | Path) -> Iterator[str]:
    """The address of ``layerscope serve`` with these arguments."""
    command = [sys.executable, "-m", "layerscope", "serve", *map(str, arguments), "--no-open"]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(timeout=30)


def opened(
    browser: Browser,
    address: str,
    fragment: str = "",
    *,
    size: tuple[int, int] = (1440, 900),
    theme: Any = "dark",
    ready: str = PAINTED,
) -> Page:
    """A page in a context of its own; what goes wrong on it is kept in ``page.faults``."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=theme,
        reduced_motion="reduce",
        accept_downloads=True,
    )
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda m: faults.append(m.text) if m.type in ("error", "warning") else None)
    page.faults = faults  # type: ignore[attr-defined]
    page.goto(address + fragment)
    page.wait_for_selector(ready, timeout=60_000)
    return page


def closed(page: Page) -> None:
    """Close a page on which nothing went wrong."""
    faults = page.faults  # type: ignore[attr-defined]
    page.context.close()
    assert not faults, faults


def pixels(page: Page, selector: str) -> NDArray[np.uint8]:
    """A canvas's own pixels: (height, width, 3)."""
    address = page.locator(selector).first.evaluate("canvas => canvas.toDataURL('image/png')")
    picture = Image.open(io.BytesIO(b64decode(address.partition(",")[2])))
    return np.asarray(picture.convert("RGB"))


def painted(page: Page, key: str | None = None) -> dict[str, str]:
    """What the wall says of its layout, once nothing more is awaited."""
    page.wait_for_selector(".middle[aria-busy=false]")
    page.evaluate("new Promise(go => requestAnimationFrame(() => requestAnimationFrame(go)))")
    return dict(page.locator(".wall-frame").evaluate("frame => ({...frame.dataset})"))


def tile(page: Page, place: int, height: int, width: int) -> NDArray[np.uint8]:
    """The pixels of one map on the wall, scrolled to. place: its position in the order shown."""
    told = painted(page)
    zoom, columns = int(told["zoom"]), int(told["columns"])
    left, top = (int(n) for n in told["first"].split(","))
    across, down = (int(n) for n in told["step"].split(","))
    top += place // columns * down
    left += place % columns * across
    frame = page.locator(".wall-frame")
    scrolled = frame.evaluate("(frame, top) => (frame.scrollTop = top - 20, frame.scrollTop)", top)
    page.evaluate("new Promise(go => requestAnimationFrame(() => requestAnimationFrame(go)))")
    wall = pixels(page, "canvas.wall")
    start = top - round(scrolled)
    found = wall[start : start + height * zoom, left : left + width * zoom]
    assert found.shape[:2] == (height * zoom, width * zoom)
    return found


def click_value(page: Page, place: int, row: int, column: int) -> None:
    """Click a value of a map on the wall."""
    x, y = where(page, place, row, column)
    page.locator(".wall-frame").click(position={"x": x, "y": y})


def where(page: Page, place: int, row: int, column: int) -> tuple[float, float]:
    """Where a value of a map lies within the wall's frame, as scrolled."""
    told = painted(page)
    zoom, columns = int(told["zoom"]), int(told["columns"])
    left, top = (int(n) for n in told["first"].split(","))
    across, down = (int(n) for n in told["step"].split(","))
    scrolled = page.locator(".wall-frame").evaluate("frame => frame.scrollTop")
    x = left + place % columns * across + (column + 0.5) * zoom
    return x, top + place // columns * down + (row + 0.5) * zoom - scrolled


def screenshot(page: Page, name: str) -> None:
    """Keep a picture of the page, where the environment says in which folder."""
    folder = os.environ.get("LAYERSCOPE_SCREENSHOTS")
    if not folder:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").save(Path(folder) / f"{name}.webp", quality=92, method=6)


def screenshots(page: Page, name: str) -> None:
    """Keep a picture of the page in each theme, as ``screenshot`` does."""
    if not os.environ.get("LAYERSCOPE_SCREENSHOTS"):
        return
    light = page.evaluate("matchMedia('(prefers-color-scheme: light)').matches")
    for theme in ("light", "dark") if not light else ("dark", "light"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        if page.locator(".middle").count():
            painted(page)
        screenshot(page, f"{name}-{theme}")


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with the page."""
    axe = Path(__file__).parents[1] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
    assert axe.is_file(), "expected axe-core: npm ci in frontend"
    # Evaluated and not added as an element: the page allows no script but its own.
    page.evaluate(axe.read_text(encoding="utf-8"))
    found: Sequence[dict[str, Any]] = page.evaluate("axe.run().then(result => result.violations)")
    return [
        f"{one['id']}: {node['html'][:160]}: {node['any'][0]['message'] if node['any'] else ''}"
        for one in found
        for node in one["nodes"]
    ]
