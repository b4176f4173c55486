"""What a person gets wrong is answered by one message that says how to mend it, and status 1."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from networks import Command

CODE = """\
import keras


def build():
    return keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3)])


def fails():
    raise ValueError("no luck")


def nothing():
    return None


def needs(size):
    return build()
"""


@pytest.fixture(scope="module")
def wrong(networks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files that are not what they should be."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "text.keras").write_text("hello")
    (folder / "empty.h5").touch()
    (folder / "empty").mkdir()
    (folder / "notes.json").write_text('{"a": 1}')
    (folder / "page.jpg").write_text("<!doctype html><html>404</html>")
    with zipfile.ZipFile(folder / "zip.keras", "w") as archive:
        archive.writestr("readme.txt", "x")
    for name in ("small.keras", "small.h5", "cat.png"):
        whole = (networks / name).read_bytes()
        (folder / f"cut-{name}").write_bytes(whole[: len(whole) // 2])
    np.save(folder / "nan.npy", np.full((16, 16, 3), np.nan, np.float32))
    np.save(folder / "vector.npy", np.zeros(5, np.float32))
    np.save(folder / "volume.npy", np.zeros((1, 1, 16, 16, 3), np.float32))
    np.save(folder / "channels.npy", np.zeros((1, 16, 16, 5), np.float32))
    (folder / "code.py").write_text(CODE)
    (folder / "syntax.py").write_text("import keras\nfoo(\n")
    (folder / "raises.py").write_text("x = 1\n1 / 0\n")
    (folder / "exits.py").write_text("import sys\nsys.exit(3)\n")
    (folder / "foreign").mkdir()
    (folder / "foreign" / "thesis.txt").write_text("x")
    (folder / "foreign.npz").write_text("x")
    with h5py.File(folder / "old.h5", "w") as file:
        file.attrs["keras_version"] = "2.4.0"
        file.attrs["model_config"] = '{"class_name": "Sequential", "config": {"layers": []}}'
    return folder


EXPECTED = (
    "Expected a .keras or .h5 file, a TensorFlow graph (.pb, .meta or a SavedModel's folder), "
    "or code as FILE.py:name."
)
TRUST = "It runs only if you trust the file: pass --trust (in Python, trust=True)."
OWN = "Supply the Python file that defines it: --custom FILE.py (in Python, custom=...)."
MODEL = "Expected a model, or a function without arguments that returns one."
WEIGHTS = "Expected weights saved by Keras (.weights.h5, .h5)."
OUT = "Choose another place with -o, or pass --force to replace it."

# A line each: the command, and the whole message. {n} is the folder of networks, {w} the one
# of wrong files, {o} an empty one. "extract" gets -o {o}/x.npz where no -o is given.
CASES = [
    # no such file
    ("layers {w}/none.keras", "There is no file {w}/none.keras. Expected a saved model (.keras, "
     ".h5), or code as FILE.py:name."),
    ("layers {w}/text.keras/x", "There is no file {w}/text.keras/x. Expected a saved model "
     "(.keras, .h5), or code as FILE.py:name."),
    ("extract {n}/small.keras {w}/none.png", "no such file or folder: {w}/none.png; check its "
     "name and folder"),
    # not a model
    ("layers {w}/text.keras", "{w}/text.keras is a text file, not a model. " + EXPECTED),
    ("layers {w}/empty.h5", "{w}/empty.h5 is empty (0 bytes), not a model. Copy or download it "
     "again."),
    ("layers {w}/zip.keras", "{w}/zip.keras is a ZIP archive without Keras's config.json, not a "
     "model. " + EXPECTED),
    ("layers {w}/notes.json", "{w}/notes.json is a text that is no Keras architecture, not a "
     "model. " + EXPECTED),
    ("layers {w}/page.jpg", "{w}/page.jpg is an HTML page, not a model. " + EXPECTED),
    ("layers {w}/empty", "{w}/empty is a folder, not a model. " + EXPECTED),
    ("layers {w}/old.h5", "{w}/old.h5 holds no weights as Keras 1 and 2 write them. Expected the "
     "file that save_weights('NAME.h5') made."),
    ("layers {n}/small.keras --theano-kernels maybe", "--theano-kernels must be yes or no, but is "
     "'maybe'."),
    ("layers {n}/small.weights.h5", "{n}/small.weights.h5 holds weights without an architecture. "
     "Give the architecture too: FILE.py:name --weights {n}/small.weights.h5, or "
     "ARCHITECTURE.json --weights {n}/small.weights.h5."),
    ("layers {n}/small.json", "{n}/small.json is an architecture without weights. Give them: "
     "--weights FILE.weights.h5."),
    # the two swapped
    ("view {n}/cat.png {n}/small.keras", "{n}/cat.png is a picture (PNG), not a model. The model "
     "comes first and the picture after it: layerscope view MODEL INPUT."),
    ("layers {w}/nan.npy", "{w}/nan.npy is a NumPy array, not a model. The model comes first and "
     "the input after it."),
    ("extract {n}/small.keras {n}/small.h5", "{n}/small.h5 looks like a model (HDF5), not a "
     "picture or an array: swap the two, the model comes first and the input after it"),
    # cut off
    ("layers {w}/cut-small.keras", "{w}/cut-small.keras is a damaged or truncated .keras file: "
     "its archive cannot be read. Copy or download it again."),
    ("extract {n}/small.keras {w}/cut-cat.png", "{w}/cut-cat.png is a damaged or cut-off PNG "
     "picture (image file is truncated): copy or download it again"),
    # inputs
    ("extract {n}/small.keras {w}/page.jpg", "{w}/page.jpg is an HTML page, not a picture or "
     "array: the download gave an error page, get it again"),
    ("extract {n}/small.keras {w}/empty", "{w}/empty holds no picture or array that can be read "
     "(looked at 0 files): give a folder with JPEG, PNG, .npy or .csv files"),
    ("extract {n}/small.keras {w}/nan.npy", "{w}/nan.npy has values that are not finite (768 NaN "
     "of 768), the first at [0, 0, 0]: mend them, or let them pass with --allow-nan "
     "(allow_nan=True)"),
    ("extract {n}/small.keras {w}/vector.npy", "{w}/vector.npy has shape (5,): 1 dimension; input "
     "'image' takes height 16, width 16, channel 3. Give an array with 2 (a matrix), 3 for one "
     "sample or 4 for a batch"),
    ("extract {n}/small.keras {w}/volume.npy", "{w}/volume.npy has shape (1, 1, 16, 16, 3): 5 "
     "dimensions; input 'image' takes height 16, width 16, channel 3. Give an array with 2 (a "
     "matrix), 3 for one sample or 4 for a batch"),
    ("extract {n}/small.keras {w}/channels.npy", "{w}/channels.npy has shape (1, 16, 16, 5), read "
     "as batch 1, height 16, width 16, channel 5; input 'image' takes height 16, width 16, "
     "channel 3. The channels must agree"),
    ("extract {n}/small.keras right={n}/cat.png", "no such file: right={n}/cat.png; and no input "
     "is named 'right': the model has 'image'"),
    ("extract {n}/free.keras {n}/cat.png {n}/large.png", "large.png gives arrays of shape (22, "
     "18, 2), the inputs before it of shape (14, 14, 2). The network takes pictures of any size; "
     "give one size for all: --size HxW."),
    # layers
    ("extract {n}/small.keras {n}/cat.png -l frist", "There is no layer 'frist'. Did you mean "
     "first? All of them: layerscope layers MODEL."),
    ("extract {n}/small.keras {n}/cat.png -l SCORE", "There is no layer 'SCORE'. Did you mean "
     "scores? All of them: layerscope layers MODEL."),
    ("extract {n}/small.keras {n}/cat.png -l 4", "There is no layer 4: the network has 4, "
     "numbered 0 to 3 (or -1 to -4 from the end)."),
    ("extract {n}/small.keras {n}/cat.png -l 4:8", "The slice '4:8' holds no layer: the network "
     "has 4, numbered 0 to 3."),
    ("extract {n}/small.keras {n}/cat.png -l type:Conv3D", "There is no layer of the type "
     "'Conv3D'. The network has: Conv2D, Dense, Flatten, MaxPooling2D."),
    # code in files
    ("layers {n}/lambda.keras", "{n}/lambda.keras: layer 'twice' is a Lambda layer, whose Python "
     "code is stored in the file. " + TRUST),
    ("layers {n}/lambda.h5", "{n}/lambda.h5: layer 'twice' is a Lambda layer, whose Python code is "
     "stored in the file. " + TRUST),
    ("layers {n}/custom.keras", "{n}/custom.keras: layer 'own' is of the class 'Doubling', which "
     "is not part of Keras. " + OWN),
    ("layers {n}/custom.h5", "{n}/custom.h5 holds the class 'Doubling', which is not part of "
     "Keras. " + OWN),
    ("layers {n}/custom.keras --custom {w}/none.py", "There is no file {w}/none.py. Expected "
     "Python code."),
    # the user's own code
    ("layers {w}/code.py", "{w}/code.py is code: say which model in it, as {w}/code.py:NAME (a "
     "model, or a function that returns one)."),
    ("layers {w}/code.py:biuld", "{w}/code.py defines no 'biuld'. Did you mean build?"),
    ("layers {w}/code.py:xyz", "{w}/code.py defines no 'xyz'. Give the name of a model in it."),
    ("layers {w}/code.py:fails", "fails() in {w}/code.py failed: ValueError: no luck (line 9). "
     + MODEL),
    ("layers {w}/code.py:needs", "needs() in {w}/code.py failed: TypeError: needs() missing 1 "
     "required positional argument: 'size'. " + MODEL),
    ("layers {w}/code.py:nothing", "{w}/code.py:nothing gives an object of the type NoneType. "
     "Expected a keras.Model, or a function without arguments that returns one."),
    ("layers {w}/syntax.py:model", "{w}/syntax.py failed when it was run: SyntaxError: '(' was "
     "never closed (syntax.py, line 2). Mend the code and try again."),
    ("layers {w}/raises.py:model", "{w}/raises.py failed when it was run: ZeroDivisionError: "
     "division by zero (line 2). Mend the code and try again."),
    ("layers {w}/exits.py:model", "{w}/exits.py failed when it was run: SystemExit: 3 (line 2). "
     "Mend the code and try again."),
    ("layers {w}/none.py:model", "There is no file {w}/none.py. Expected Python code."),
    # weights
    ("layers {w}/code.py:build --weights {w}/none.h5", "There is no weights file {w}/none.h5. "
     + WEIGHTS),
    ("layers {w}/code.py:build --weights {n}/cat.png", "{n}/cat.png is no HDF5 file. " + WEIGHTS),
    ("layers {n}/small.json --weights {n}/lambda.h5", "{n}/lambda.h5, written by Keras 3, cannot "
     "be opened by Keras: Layer count mismatch when loading weights from file. Model expected 2 "
     "layers, found 1 saved layers."),
    # places to write
    ("extract {n}/small.keras {n}/cat.png -o {o}/x.csv", "{o}/x.csv ends in '.csv'. Expected a "
     "name that ends in .npz or .zarr, or a folder (a name without a suffix)."),
    ("extract {n}/small.keras {n}/cat.png -o {w}/foreign", "{w}/foreign exists and layerscope did "
     "not write it. " + OUT),
    ("extract {n}/small.keras {n}/cat.png -o {w}/foreign.npz", "{w}/foreign.npz exists and "
     "layerscope did not write it. " + OUT),
    ("view {n}/small.keras {n}/cat.png -o {w}/foreign", "{w}/foreign exists and layerscope did not "
     "write it. " + OUT),
    # words that are none of the choices
    ("layers {n}/small.keras --backend theano", "--backend must be tensorflow, jax or torch, but "
     "is 'theano'."),
    ("extract {n}/small.keras {n}/cat.png --size 12", "size 12×12 does not fit: input 'image' "
     "takes height 16, width 16, channel 3. Leave it out"),
    ("extract {n}/small.keras {n}/cat.png --size axb", "size 'axb' is not understood: give height "
     "and width in pixels, such as 150x200, or one number for a square"),
    ("extract {n}/small.keras {n}/cat.png --size 0x4", "size must be at least 1×1, and is 0×4"),
    ("extract {n}/small.keras {n}/cat.png --range 0-1", "range '0-1' is not known: choose one of "
     "0..1, -1..1, 0..255, imagenet, caffe, as-is"),
    ("extract {n}/small.keras {n}/cat.png --resize cubic", "resize 'cubic' is not known: choose "
     "one of bilinear, nearest, bicubic, lanczos, area"),
    ("extract {n}/small.keras {n}/cat.png --color xyz", "color 'xyz' is not known: choose one of "
     "rgb, bgr, gray"),
    ("view {n}/small.keras {n}/cat.png --scale wide", "expected a scale but got 'wide'. Use "
     "channel, layer, symmetric, or two numbers LO,HI with LO below HI, such as 0,1."),
    ("view {n}/small.keras {n}/cat.png --scale 5,1", "expected a scale but got '5,1'. Use "
     "channel, layer, symmetric, or two numbers LO,HI with LO below HI, such as 0,1."),
    ("view {n}/small.keras {n}/cat.png --channels 1-3", "expected channels but got '1-3'. Write "
     "numbers and half-open ranges with commas between them, such as 6,15,20:24."),
    ("view {n}/small.keras {n}/cat.png -o {o}/v --channels 99", "'first' has channels 0 to 3, but "
     "channel 99 was asked for. Choose others."),
    ("view {n}/small.keras {n}/cat.png --clip 300", "expected a percentile above 50 and up to 100 "
     "to clip at but got 300. 99 is a usual choice."),
    ("view {n}/small.keras {n}/cat.png --zoom 0", "expected a whole number from 1 for zoom but got "
     "0."),
    ("view {n}/small.keras {n}/cat.png --columns 0", "expected a whole number from 1 for columns "
     "but got 0."),
    ("view {n}/small.keras {n}/cat.png --format gif", "expected a picture format but got 'gif'. "
     "Known are .png, .webp and .jpg."),
    ("view {n}/small.keras {n}/cat.png --classes {w}/none.txt", "The class names in {w}/none.txt "
     "cannot be read: No such file or directory."),
    ("view {n}/small.keras {n}/cat.png --classes {n}/cat.png", "The class names in {n}/cat.png "
     "cannot be read: it is no UTF-8 text."),
]  # fmt: skip


@pytest.mark.parametrize(("words", "expected"), CASES, ids=[words for words, _ in CASES])
def test_message(
    command: Command, networks: Path, wrong: Path, tmp_path: Path, words: str, expected: str
) -> None:
    places = {"n": networks, "w": wrong, "o": tmp_path}
    given = words.format(**places).split()
    if given[0] == "extract" and "-o" not in given:
        given += ["-o", str(tmp_path / "x.npz")]
    done = command(*given)
    assert done.message == expected.format(**places)
    assert done.status == 1
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_hdf5_file(command: Command, wrong: Path) -> None:
    # What stands in the brackets is HDF5's own reason, which differs between its versions.
    done = command("layers", wrong / "cut-small.h5")
    start, _, rest = done.message.partition(" (")
    assert start == f"{wrong / 'cut-small.h5'} is a damaged or truncated HDF5 file"
    assert "truncated file" in rest
    assert rest.endswith("). Copy or download it again.")
    assert done.status == 1


def test_weights_of_another_shape(command: Command, networks: Path, wrong: Path) -> None:
    weights = networks / "small.weights.h5"
    done = command("layers", f"{wrong}/code.py:build", "--weights", weights)
    assert done.message.startswith(f"{weights}, written by Keras 3, cannot be opened by Keras: ")
    assert "variable.shape=(3, 3, 1, 2), Received: value.shape=" in done.message
    assert "3, 3, 3, 4" in done.message
    assert done.status == 1


@pytest.mark.parametrize("name", ["lambda.keras", "lambda.h5"])
def test_trusted_code_runs(command: Command, networks: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "x.npz"
    done = command("extract", networks / name, networks / "cat.png", "--trust", "-o", out)
    assert (done.status, done.err) == (0, "")
    with np.load(out) as arrays:
        assert np.array_equal(arrays["twice"], 2 * arrays["first"])


@pytest.mark.parametrize("name", ["custom.keras", "custom.h5"])
def test_own_classes_run(command: Command, networks: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "x.npz"
    done = command(
        *("extract", networks / name, networks / "cat.png", "-o", out),
        *("--custom", networks / "custom.py", "-l", "own", "--range", "0..255"),
    )
    assert (done.status, done.err) == (0, "")
    with np.load(out) as arrays:
        assert np.array_equal(arrays["own"][0], 2.0 * np.asarray(Image.open(networks / "cat.png")))


def test_nan_passes_where_allowed(
    command: Command, networks: Path, wrong: Path, tmp_path: Path
) -> None:
    words = ("extract", networks / "small.keras", wrong / "nan.npy", "-o", tmp_path / "x.npz")
    assert command(*words, "--allow-nan").status == 0
    with np.load(tmp_path / "x.npz") as arrays:
        assert np.isnan(arrays["scores"]).any()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["layers"], "Missing argument 'MODEL'."),
        (["frobnicate"], "No such command 'frobnicate'."),
        (["layers", "m.keras", "--nope"], "No such option: --nope"),
        (["extract", "m.keras", "cat.png"], "Missing option '-o' / '--output'."),
        (["view", "m.keras", "cat.png", "--zoom", "x"], "Invalid value for '--zoom'"),
        (["view", "m.keras"], "Invalid value for INPUT: expected a picture or an array"),
    ],
)
def test_wrong_usage(command: Command, words: list[str], error: str) -> None:
    done = command(*words)
    assert done.status == 2
    assert f"Error: {error}" in done.err
    assert "Traceback" not in done.err


def test_a_fault_of_ones_own_says_so(
    command: Command, networks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("seven")

    monkeypatch.setattr("layerscope.faces.terminal.layer_table", fail)
    done = command("layers", networks / "small.keras")
    assert done.message == (
        "AssertionError: seven. This is a fault of layerscope's own, and not of what you gave it; "
        "--debug shows where it lies."
    )
    assert done.status == 1


# What follows needs a process of its own.

COMMAND = str(Path(sys.executable).with_name("layerscope"))


def layerscope(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *map(str, words)],
        **{"capture_output": True, "text": True, "timeout": 120, **options},  # type: ignore[call-overload]
    )


def test_debug_shows_a_traceback(tmp_path: Path) -> None:
    plain, debug = (layerscope("layers", tmp_path / "no", *more) for more in ([], ["--debug"]))
    assert plain.returncode == debug.returncode == 1
    assert plain.stderr == (
        f"layerscope: There is no file {tmp_path / 'no'}. Expected a saved model (.keras, .h5), "
        "or code as FILE.py:name.\n"
    )
    assert "Traceback (most recent call last)" in debug.stderr
    assert f"ModelError: There is no file {tmp_path / 'no'}" in debug.stderr


@pytest.fixture
def without(tmp_path: Path) -> dict[str, str]:
    """An environment in which $HIDDEN names packages that Python cannot find."""
    hook = """
        import os
        from importlib.machinery import PathFinder

        find = PathFinder.find_spec


        def find_spec(name, path=None, target=None):
            hidden = name.partition(".")[0] in os.environ["HIDDEN"].split()
            return None if hidden else find(name, path, target)


        PathFinder.find_spec = find_spec
    """
    folder = tmp_path / "hook"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(textwrap.dedent(hook))
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    return {**environment, "PYTHONPATH": str(folder), "KERAS_HOME": str(tmp_path / "none")}


@pytest.mark.parametrize(
    ("hidden", "words", "expected"),
    [
        (
            "tensorflow jax torch",
            [],
            'No backend for Keras is installed. Install one with: pip install '
            '"layerscope[tensorflow]" (or [jax], or [torch])',
        ),
        (
            "jax",
            ["--backend", "jax"],
            'The backend jax is not installed. Install one with: pip install "layerscope[jax]"',
        ),
    ],
)  # fmt: skip
def test_no_backend(
    networks: Path, without: dict[str, str], hidden: str, words: list[str], expected: str
) -> None:
    done = layerscope("layers", networks / "small.keras", *words, env={**without, "HIDDEN": hidden})
    assert done.stderr == f"layerscope: {expected}\n"
    assert done.returncode == 1


def test_no_zarr(
    command: Command, networks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    out = tmp_path / "x.zarr"
    done = command("extract", networks / "small.keras", networks / "cat.png", "-o", out)
    assert done.message == (
        f'{out}: zarr is not installed. Install it with: pip install "layerscope[zarr]"'
    )
    assert done.status == 1
    assert list(tmp_path.iterdir()) == []


def test_no_scipy(
    command: Command, networks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scipy.io import savemat

    savemat(tmp_path / "x.mat", {"x": np.zeros((16, 16, 3))})
    for name in [name for name in sys.modules if name.partition(".")[0] == "scipy"]:
        monkeypatch.setitem(sys.modules, name, None)
    done = command(
        "extract", networks / "small.keras", tmp_path / "x.mat", "-o", tmp_path / "x.npz"
    )
    assert 'not installed: pip install "layerscope[mat]"' in done.message
    assert done.status == 1


@pytest.fixture
def small_files_only() -> Iterator[None]:
    """No file can grow beyond 100 kB, as on a disk that fills up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", ["x.npz", "x", "x.zarr"])
def test_a_full_disk(
    command: Command, networks: Path, tmp_path: Path, small_files_only: None, name: str
) -> None:
    done = command(
        *("extract", networks / "cats_dogs.keras", networks / "cat.png"),
        *("-l", "conv2d", "-o", tmp_path / name),
    )
    assert done.message == (
        f"{tmp_path / name} cannot be written: File too large. Nothing was left "
        "half-written; choose another place with -o, or make room."
    )
    assert done.status == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may write to; the superuser may, but for the kernel's own."""
    if os.geteuid() == 0:
        yield Path("/proc/sys")
        return
    tmp_path.chmod(0o555)
    yield tmp_path
    tmp_path.chmod(0o755)


@pytest.mark.parametrize("words", ["extract -o {o}/x.npz", "extract -o {o}/x", "view -o {o}/x"])
def test_a_folder_that_cannot_be_written(
    command: Command, networks: Path, locked: Path, words: str
) -> None:
    what, *where = words.format(o=locked).split()
    done = command(what, networks / "small.keras", networks / "cat.png", *where)
    assert done.message.startswith(f"{where[1]}")
    assert done.message.endswith(
        "Nothing was left half-written; choose another place with -o, or make room."
    )
    assert " cannot be written: " in done.message
    assert done.status == 1
    assert not [path for path in locked.iterdir() if "x" in path.name.partition("-")[0]]


@pytest.mark.slow
def test_a_picture_of_100_megapixels(command: Command, networks: Path, tmp_path: Path) -> None:
    # Squares of 625 pixels in the place of each pixel of a 16×16 picture.
    small = np.asarray(Image.open(networks / "cat.png"))
    Image.fromarray(small).resize((10_000, 10_000), Image.Resampling.NEAREST).save(
        tmp_path / "large.png", compress_level=1
    )
    out = tmp_path / "x.npz"
    words = ("-l", "image", "--resize", "area", "--range", "0..255", "-o", out)
    done = command("extract", networks / "small.keras", tmp_path / "large.png", *words)
    assert (done.status, done.err) == (0, "")
    with np.load(out) as arrays:
        assert np.array_equal(arrays["image"][0], small)


def heed() -> None:
    """Heed Ctrl-C, which a shell has its background jobs ignore, and their children with them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted(
    words: list[object], folder: Path, begun: str, sent: signal.Signals
) -> tuple[int, str]:
    """Run a command, and send it a signal once a file that matches ``begun`` is there."""
    with subprocess.Popen(
        [COMMAND, *map(str, words)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=heed,
    ) as process:
        end = time.monotonic() + 100
        while not any(folder.glob(begun)):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(sent)
        return process.wait(60), process.communicate()[1]


@pytest.mark.parametrize(
    ("words", "begun"),
    [
        (["extract", "-o", "x.npz"], ".x.npz-*/*.npy"),
        (["view", "-o", "x"], ".x-*/maps/*.png"),
    ],
    ids=["npz", "view"],
)
@pytest.mark.parametrize(
    ("sent", "told"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_what_is_ended_leaves_nothing(
    networks: Path, tmp_path: Path, words: list[str], begun: str, sent: signal.Signals, told: int
) -> None:
    what, option, name = words
    pictures = [networks / "cat.png"] * (60 if what == "view" else 3000)
    status, err = interrupted(
        [what, networks / "cats_dogs.keras", *pictures, option, tmp_path / name],
        tmp_path,
        begun,
        sent,
    )
    assert (status, err) == (told, "")
    assert list(tmp_path.iterdir()) == []


def test_a_closed_pipe_is_no_error(networks: Path) -> None:
    with subprocess.Popen(
        [COMMAND, "layers", str(networks / "cats_dogs.keras")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1
