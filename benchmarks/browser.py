"""Measure the explorer in a real browser: clicks, scrolling, memory, and reports from disk.

Writes BROWSER.md beside itself. Random weights; nothing is downloaded; needs chromium. A
click is timed in the page, from the click on a layer that was never shown before until the
frame after its maps are painted: request, quantising in Python, transfer and painting.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from timing import load

from browsing import chromium, launched, opened, served

HERE = Path(__file__).parent
SIZES = (("64 × 224²", "wide"), ("256 × 56²", "middle"), ("2,048 × 7²", "deep"))
EACH = 21
CLICK = """
name => new Promise(done => {
  const frame = document.querySelector('.wall-frame');
  const row = [...document.querySelectorAll('.strip .row')]
    .find(one => one.querySelector('.name').textContent.endsWith(' ' + name));
  const before = frame.dataset.painted;
  let start = 0;
  new MutationObserver((_, watch) => {
    if (frame.dataset.painted === before) return;
    watch.disconnect();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
  }).observe(frame, { attributes: true, attributeFilter: ['data-painted'] });
  start = performance.now();
  row.click();
})
"""
SCROLL = """
step => new Promise(done => {
  const frame = document.querySelector('.wall-frame');
  frame.scrollTop = 0;
  const times = [];
  let last = performance.now();
  const next = now => {
    times.push(now - last);
    last = now;
    const end = frame.scrollTop + frame.clientHeight >= frame.scrollHeight - 1;
    if (end || times.length > 240) return done(times.slice(1));
    frame.scrollTop += step;
    requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
})
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "BROWSER.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(Path(folder))
        before = os.getloadavg()[0]
        parts = [machine(), *explorer(Path(folder)), reports(Path(folder))]
    parts.append(load(before))
    text = "\n\n".join(parts) + "\n"
    options.out.write_text(text, encoding="utf-8")
    print(text)


def write_inputs(folder: Path) -> None:
    """A picture, two known networks, and one with many layers of each size."""
    code = f"""
import keras, numpy as np
from PIL import Image
keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
small = rng.integers(0, 255, (28, 28, 3), dtype=np.uint8)
Image.fromarray(small).resize((224, 224), Image.BICUBIC).save(r"{folder / "picture.png"}")
layers, x = keras.layers, None
given = keras.Input((224, 224, 3))
x = layers.Conv2D(64, 3, padding="same", activation="relu", name="first")(given)
for name, channels, pool in (("wide", 64, 1), ("middle", 256, 4), ("deep", 2048, 8)):
    if pool > 1:
        x = layers.MaxPooling2D(pool, name=f"{{name}}_pool")(x)
        x = layers.Conv2D(channels, 1, activation="relu", name=f"{{name}}_conv")(x)
    for i in range({EACH}):
        x = layers.Rescaling(1.01, name=f"{{name}}{{i}}x")(x)
keras.Model(given, layers.GlobalAveragePooling2D()(x)).save(r"{folder / "sizes.keras"}")
for name in ("VGG16", "ResNet50"):
    getattr(keras.applications, name)(weights=None).save(fr"{folder}/{{name}}.keras")
"""
    run(["-c", code])


def run(arguments: Sequence[str]) -> None:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True, env=environment, text=True
    )


def machine() -> str:
    version = subprocess.run([chromium(), "--version"], capture_output=True, text=True, check=True)
    return (
        "# The explorer in a browser\n\n"
        f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{version.stdout.strip()}, headless, without a GPU, 1440 × 900. Random weights."
    )


def explorer(folder: Path) -> Iterator[str]:
    with launched() as browser, served(folder / "sizes.keras", folder / "picture.png") as address:
        page = opened(browser, address)
        page.evaluate("() => document.querySelectorAll('.fold .title[aria-expanded=false]')"
                      ".forEach(one => one.click())")  # fmt: skip
        page.wait_for_timeout(1000)
        first = {name: clicks(page, name) for _, name in SIZES}
        again = {name: clicks(page, name) for _, name in SIZES}
        rows = [
            f"| {words} | {middle(first[name])} | {high(first[name])} | {middle(again[name])} |"
            for words, name in SIZES
        ]
        yield (
            "## From a click on a layer to its painted maps\n\n"
            f"{EACH} layers of each size, each shown for the first time (milliseconds), and then "
            "once more from the page's own cache.\n\n"
            "| channels | median | 95th percentile | again, median |\n| --- | --- | --- | --- |\n"
            + "\n".join(rows)
        )
        yield scrolling(page)
        yield memory(browser, page)


def clicks(page: Page, name: str) -> list[float]:
    found = []
    for i in range(EACH):
        found.append(float(page.evaluate(CLICK, f"{name}{i}x")))
        page.wait_for_timeout(60)
    return found


def scrolling(page: Page) -> str:
    rows = []
    for words, name in SIZES:
        page.evaluate(CLICK, f"{name}0x")
        page.locator("[data-setting=zoom]").select_option("0")
        page.wait_for_timeout(300)
        for step in (60, 400):
            times = page.evaluate(SCROLL, step)
            if times:
                rows.append(
                    f"| {words} | {step} | {len(times)} | {middle(times)} | {high(times)} | "
                    f"{max(times):.0f} |"
                )
    return (
        "## Scrolling\n\nThe wall is scrolled by a number of pixels in every frame, from top to "
        "bottom; milliseconds between frames.\n\n"
        "| channels | pixels a frame | frames | median | 95th percentile | longest |\n"
        "| --- | --- | --- | --- | --- | --- |\n" + "\n".join(rows)
    )


def memory(browser: Browser, page: Page) -> str:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")

    def held() -> tuple[float, float]:
        session.send("HeapProfiler.collectGarbage")
        page.wait_for_timeout(500)
        heap = session.send("Runtime.getHeapUsage")
        return heap["usedSize"] / 2**20, renderer() / 2**20

    names = [f"{name}{i}x" for i in range(EACH) for _, name in SIZES]
    rows = []
    for rounds in (0, 100, 200):
        if rounds:
            for i in range(100):
                page.evaluate(CLICK, names[(rounds + i) % len(names)])
        heap, whole = held()
        rows.append(f"| {rounds} | {heap:.0f} | {whole:.0f} |")
    return (
        "## Memory over layer switches\n\nAfter all layers of the table above were shown once; "
        "MiB after collecting garbage. The page keeps at most 256 MiB of layers.\n\n"
        "| switches | JavaScript heap | the page's process |\n| --- | --- | --- |\n"
        + "\n".join(rows)
    )


def renderer() -> int:
    """Resident bytes of the largest renderer process."""
    sizes = [0]
    for process in psutil.Process().children(recursive=True):
        try:
            if "--type=renderer" in process.cmdline():
                sizes.append(process.memory_info().rss)
        except psutil.Error:
            continue
    return max(sizes)


def reports(folder: Path) -> str:
    rows = []
    with launched() as browser:
        for name in ("VGG16", "ResNet50"):
            out = folder / f"report_{name}"
            run(["-m", "layerscope", "view", str(folder / f"{name}.keras"),
                 str(folder / "picture.png"), "-o", str(out)])  # fmt: skip
            report = out / "report.html"
            times = [opening(browser, report) for _ in range(5)]
            size = report.stat().st_size / 2**20
            rows.append(f"| {name} | {size:.1f} | {statistics.median(times):.0f} |")
    return (
        "## Reports opened from disk\n\nFrom going to the file until its first layer is painted, "
        "in a fresh profile.\n\n| network | MiB | milliseconds, median of 5 |\n"
        "| --- | --- | --- |\n" + "\n".join(rows)
    )


def opening(browser: Browser, report: Path) -> float:
    with timed_page(browser, report) as page:
        painted: Any = page.evaluate(
            "() => new Promise(done => { const look = () =>"
            " document.querySelector('.wall-frame[data-painted]')"
            " ? done(performance.now()) : requestAnimationFrame(look); look(); })"
        )
        return float(painted)


@contextmanager
def timed_page(browser: Browser, report: Path) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(report.as_uri(), wait_until="commit")
    page.wait_for_selector("#layerscope-report", state="attached")
    yield page
    context.close()


def middle(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.0f}"


def high(values: Sequence[float]) -> str:
    return f"{sorted(values)[int(0.95 * (len(values) - 1))]:.0f}"


if __name__ == "__main__":
    main()
