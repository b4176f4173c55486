"""A view in a notebook: JupyterLab, a real browser, and a click on a map."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

import layerscope as ls
from browsing import PAINTED, click_value, painted, screenshots

pytestmark = pytest.mark.browser
PATIENCE = 120_000
DEMO = files("layerscope") / "demo"
MODEL, CAT = Path(str(DEMO / "cats_dogs.keras")), Path(str(DEMO / "cat.jpg"))


def notebook(*cells: str) -> str:
    return json.dumps(
        {
            "cells": [
                {"cell_type": "code", "execution_count": None, "id": f"cell{i}", "metadata": {},
                 "outputs": [], "source": source}
                for i, source in enumerate(cells)
            ],
            "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python",
                                        "name": "python3"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A JupyterLab with a notebook beside the demo network; yields the notebook's address."""
    folder = tmp_path_factory.mktemp("lab")
    for file in (MODEL, CAT):
        shutil.copy(file, folder)
    (folder / "look.ipynb").write_text(
        notebook('import layerscope as ls\n\nls.view("cats_dogs.keras", "cat.jpg", force=True)')
    )
    quiet = folder / "settings" / "@jupyterlab" / "apputils-extension"
    quiet.mkdir(parents=True)
    (quiet / "notification.jupyterlab-settings").write_text(
        '{"fetchNews": "false", "checkForUpdates": false}'
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    process = subprocess.Popen(
        [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
            f"--IdentityProvider.token={token}", "--ServerApp.port_retries=0",
        ],
        cwd=folder,
        env={**os.environ, "JUPYTER_CONFIG_DIR": str(folder / "config"),
             "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
             "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
             "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
             "IPYTHONDIR": str(folder / "ipython")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                if httpx.get(f"{address}/api/status?token={token}").status_code == 200:
                    break
            except httpx.ConnectError:
                assert process.poll() is None
            time.sleep(0.1)
        yield f"{address}/lab/tree/look.ipynb?token={token}"
    finally:
        process.terminate()
        process.wait(30)


def test_a_cell_shows_the_explorer_and_answers_clicks(lab: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    page.set_default_timeout(PATIENCE)
    page.goto(lab)
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.keyboard.press("Shift+Enter")
    page.wait_for_selector(f".jp-OutputArea-output {PAINTED}")
    page.locator(".jp-OutputArea-output .row", has_text="conv2d_1").click()
    page.locator(".middle", has_text="72 × 72 × 48").wait_for()
    painted(page)
    click_value(page, 5, 23, 31)
    page.locator(".pinned", has_text="channel 5").wait_for()
    page.wait_for_selector(".pinned .histogram rect")
    page.wait_for_selector(".seen .field")
    array = ls.extract(str(MODEL), str(CAT), layers="conv2d_1")["conv2d_1"].array
    shown = page.locator("[data-value] b").inner_text()
    assert float(shown) == pytest.approx(array[0, 23, 31, 5], rel=1e-5)
    page.mouse.move(1, 1)
    screenshots(page, "notebook")
    page.context.close()


def test_without_anywidget_a_cell_shows_the_report(
    networks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser: Browser
) -> None:
    # What an import finds where a package is not installed.
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "layerscope.faces.explorer.widget", raising=False)
    done = ls.view(str(networks / "small.keras"), str(networks / "cat.png"), tmp_path / "v")
    bundle = done._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert len(bundle["text/plain"]) < 2000
    page = browser.new_page(viewport={"width": 1300, "height": 800})
    page.set_default_timeout(PATIENCE)
    page.set_content(bundle["text/html"])
    frame = page.frame_locator("iframe")
    frame.locator(PAINTED).wait_for()
    frame.locator(".row", has_text="pool").click()
    frame.locator(".middle", has_text="MaxPooling2D").wait_for()
    page.context.close()
