"""Measure layerscope against the plain forward pass and against one subplot per channel.

Writes RESULTS.md beside itself. Every figure is a ratio of two things measured in turn in
the same run; random weights; nothing is downloaded. Takes about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from timing import command, in_turn, load, python

HERE = Path(__file__).parent
TITLE = "# Benchmark results"
NETWORKS = ("VGG16", "ResNet50", "MobileNetV2")
BARE = """
import os; os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras, numpy as np
from PIL import Image
model = keras.models.load_model({model!r}, compile=False)
x = np.asarray(Image.open({picture!r}).convert("RGB").resize((224, 224)), "float32")[None]
np.asarray(model(x, training=False))
"""


@dataclass(frozen=True)
class Plan:
    """How much is measured. runs: of each pair of what is compared."""

    runs: int
    networks: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs and networks")
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    parser.add_argument(
        "--only", choices=PARTS, action="append", help="measure this part alone; repeatable"
    )
    options = parser.parse_args()
    plan = Plan(3 if options.quick else 5, NETWORKS[1:2] if options.quick else NETWORKS)
    kept = options.out.read_text(encoding="utf-8") if options.only else ""
    parts = sections(kept) if kept else {}
    parts[TITLE] = machine()
    for name in options.only or PARTS:
        text = under_load(PARTS[name], plan)
        parts[text.splitlines()[0]] = text
        options.out.write_text("\n\n".join(parts.values()) + "\n", encoding="utf-8")
        print(text, end="\n\n", flush=True)


def sections(text: str) -> dict[str, str]:
    """The parts of a file of results, each under its heading."""
    parts = re.split(r"\n+(?=## )", text.strip())
    return {part.splitlines()[0]: part for part in parts}


def under_load(part: Callable[[Plan], str], plan: Plan) -> str:
    """A part, and how busy the machine was when it was measured."""
    before = os.getloadavg()[0]
    return f"{part(plan)}\n\n{load(before)}"


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **changes}


def write_inputs(folder: Path, networks: tuple[str, ...]) -> None:
    code = f"""
import keras, numpy as np
from PIL import Image
for name in {networks!r}:
    keras.utils.set_random_seed(0)
    getattr(keras.applications, name)(weights=None).save(f"{folder}/{{name}}.keras")
noise = np.random.default_rng(0).integers(0, 255, (14, 14, 3), dtype=np.uint8)
Image.fromarray(noise).resize((480, 360), 3).save("{folder}/picture.jpg")
"""
    command(python(code), environment())()


def machine() -> str:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        cpu = lines[0].partition(":")[2].strip() if lines else cpu
    packages = ", ".join(f"{p} {version(p)}" for p in ("keras", "numpy", "pillow", "matplotlib"))
    others = ", ".join(f"`{name}`" for name in PARTS if name != "recording")
    return f"""{TITLE}

Made by `make bench`, or one part alone by `make bench ONLY=recording` (or
{others}).
Ratios are medians over pairs of runs in turn, with the smallest and largest pair in brackets;
below 1 means faster (or less) than the baseline. Seconds are given only to show the size of
things.

Machine: {os.cpu_count()} cores, {cpu}, {platform.system()} {platform.machine()},
Python {platform.python_version()}; {packages}."""


def start_up(plan: Plan) -> str:
    runs = plan.runs
    bare = command(python("pass"), environment())
    helped = command([sys.executable, "-m", "layerscope", "--help"], environment())
    imported = command(python("import layerscope"), environment())
    a, b = in_turn(helped, bare, 3 * runs), in_turn(imported, bare, 3 * runs)
    return f"""## Start-up

| | seconds | ratio to `python -c pass` |
| --- | ---: | ---: |
| `layerscope --help` (target: under 0.3 s) | {a.ours:.2f} | {a} |
| `import layerscope` (target: under 0.3 s) | {b.ours:.2f} | {b} |"""


def whole_process(plan: Plan) -> str:
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(Path(folder), plan.networks)
        return in_folder(Path(folder), plan)


def in_folder(folder: Path, plan: Plan) -> str:
    rows = []
    for name in plan.networks:
        model, picture = str(folder / f"{name}.keras"), str(folder / "picture.jpg")
        words = [sys.executable, "-m", "layerscope", "view", model, picture]
        view = command([*words, "-o", str(folder / "out"), "--force"], environment())
        bare = command(python(BARE.format(model=model, picture=picture)), environment())
        ratio = in_turn(view, bare, plan.runs)
        blog = json.loads(child("blog", name))
        rows.append(
            f"| {name} | {ratio.ours:.1f} | {ratio} | {blog['channels']:,} | "
            f"{blog['seconds']:.0f} | {blog['seconds'] / ratio.ours:.0f} |"
        )
    return "\n".join(
        (
            """## `layerscope view`, whole process

Against a script that imports Keras, loads the same file and runs one plain forward pass
(target: at most 1.3). The blog way is one matplotlib subplot per channel, timed on 200 subplots
of each network's own maps and extrapolated to all its channels (target: at least 50 times as
long on ResNet50).

| network | seconds | ratio to the bare script | channels | blog way, seconds | times as long |
| --- | ---: | ---: | ---: | ---: | ---: |""",
            *rows,
        )
    )


def warm(plan: Plan) -> str:
    rows = []
    for name in plan.networks:
        for tuned in (True, False):
            found = json.loads(child("warm", name, *(["tuned"] if tuned else [])))
            memory = json.loads(child("memory", name, *(["tuned"] if tuned else [])))
            rows.append(
                f"| {name} | {'yes' if tuned else 'no'} | {found['ratio']} | {found['early']} | "
                f"{memory['activations'] / 2**20:.0f} | {memory['ratio']:.2f} |"
            )
    return "\n".join(
        (
            """## Extracting every layer of one picture, warm

Against the plain forward pass of the same model in the same process (target: at most 1.5 for
ResNet50, 1.1 for VGG16). "Early" is the first tenth of the layers alone. Memory is the peak
above a process that runs the plain pass, over the bytes of all activations (target: at most
1.3). With the allocator told to keep freed memory, as the command does, and without.

| network | allocator tuned | ratio | early layers alone | activations, MiB | memory |
| --- | --- | ---: | ---: | ---: | ---: |""",
            *rows,
        )
    )


def drawing(plan: Plan) -> str:
    rows = json.loads(child("drawing"))
    return "\n".join(
        (
            """## Drawing

A mosaic with labels, drawn and encoded as PNG, against one matplotlib `imshow` of the same
mosaic saved as PNG, and against one subplot per channel (64 subplots, extrapolated).

| maps | milliseconds | ratio to imshow | ratio to subplots |
| --- | ---: | ---: | ---: |""",
            *(
                f"| {r['maps']} | {r['ms']:.1f} | {r['imshow']} | {r['subplots']:.4f} |"
                for r in rows
            ),
        )
    )


EXPLAINED = {
    "VGG16": ("block1_conv1", "block1_conv2", "block3_conv2", "block5_conv3", "fc1"),
    "ResNet50": ("conv1_conv", "conv2_block1_2_conv", "conv5_block1_1_conv"),
    "MobileNetV2": ("Conv1", "block_2_depthwise", "block_2_project"),
}


def explaining(plan: Plan) -> str:
    rows = []
    for name, layers in EXPLAINED.items():
        for r in json.loads(child("explaining", name, *layers)):
            given = "×".join(map(str, r["given"]))
            rows.append(
                f"| {name} | {r['layer']} | {given} | {r['forward']:.1f} | {r['ours']:.1f} | "
                f"{r['ratio']} |"
            )
    t = {key: value / 2**20 for key, value in json.loads(child("table")).items()}
    return "\n".join(
        (
            """## Explaining

One output channel taken apart: its partial maps, their sum checked against what the network
computed, and the shares; from the layer's input and output on, without drawing. Against the
layer's own forward pass, compiled (target: at most 3).

| network | layer | its input | forward, ms | explained, ms | ratio |
| --- | --- | --- | ---: | ---: | ---: |""",
            *rows,
            f"""
Every channel in one picture (`-c all`), of a convolution of 64 to 64 channels on 112×112: the
peak above what was held before is {t["held"]:.0f} MiB. One channel's partial maps are
{t["partial"]:.1f} MiB, all of them {t["every"]:.0f} MiB, and the picture's pixels
{t["picture"]:.0f} MiB, which are held twice while they are put together (target: no more than one
channel's partial maps beside the picture).""",
        )
    )


def recording(plan: Plan) -> str:
    found = json.loads(child("recording", str(plan.runs)))
    return f"""## Recording while training

An epoch of 100 batches of 20 with `FeatureMapRecorder(every=1)` on all {found["layers"]} layers of
the usual network (150×150, one picture), against the same epoch without it, in turn (target: at
most 1.10). The batches are held ready, so that nothing but training is compared with; the
recorder's own time is what it takes as an epoch ends, over the epoch without it. The file of
an epoch has {found["megabytes"]} MB.

| epoch without, seconds | ratio | the recorder's own, seconds | its share |
| ---: | ---: | ---: | ---: |
| {found["seconds"]} | {found["ratio"]} | {found["own"]} | {found["share"]} |"""


def child(*words: str) -> str:
    """Measure in a process of its own: the last line that it prints."""
    done = subprocess.run(
        [sys.executable, str(HERE / "measure.py"), *words],
        env=environment(),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"measure.py {' '.join(words)} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout.strip().splitlines()[-1]


PARTS: dict[str, Callable[[Plan], str]] = {
    "start-up": start_up,
    "view": whole_process,
    "extracting": warm,
    "drawing": drawing,
    "explaining": explaining,
    "recording": recording,
}


if __name__ == "__main__":
    main()
