"""Records that were damaged, or made to do harm: a clear error, and bounded memory."""

from __future__ import annotations

import copy
import io
import json
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerscope as ls
from layerscope.errors import InputError, LayerscopeError
from layerscope.faces.explorer.film.film import Film
from layerscope.faces.explorer.film.report import describe, render_record
from layerscope.training import storage
from networks import Command
from serving import serving
from test_explorer_report import EVIL, check_harmless
from tiny_training import record_of


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good") / "r"
    record_of(folder, epochs=1, pictures=1)
    return folder


@pytest.fixture
def copied(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "r"))


def use(folder: Path) -> bytes:
    """All that a record is used for, in short."""
    film = Film(ls.Record.open(folder))
    manifest = json.dumps(film.manifest(), allow_nan=False)
    for run in json.loads(manifest)["runs"]:
        frame = film.run(run["id"])
        frame.summary.statistics()
        for number in range(len(film.nodes)):
            film.layer(frame, number, minus=run["preview"])
    return render_record(film, describe(film))


def change(folder: Path, edit: Callable[[Any], None]) -> None:
    path = folder / "record.json"
    about = json.loads(path.read_text())
    edit(about)
    path.write_text(json.dumps(about))


def npy(array: Any, **header: Any) -> bytes:
    """An .npy file; header: what it says of itself instead."""
    held = io.BytesIO()
    np.lib.format.write_array(held, np.asarray(array), allow_pickle=True)
    if not header:
        return held.getvalue()
    data = np.asarray(array).tobytes()
    held = io.BytesIO()
    told = {"descr": np.asarray(array).dtype.str, "fortran_order": False, **header}
    np.lib.format.write_array_header_1_0(held, told)
    return held.getvalue() + data


def replace_member(path: Path, name: str, data: bytes, method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path) as archive:
        held = {one: archive.read(one) for one in archive.namelist()}
    held[f"{name}.npy"] = data
    with zipfile.ZipFile(path, "w", method) as archive:
        for one, content in held.items():
            archive.writestr(one, content)


def test_a_good_one_is_used(good: Path) -> None:
    assert b"layerscope" in use(good)


@pytest.mark.parametrize("data", ["3", "[]", "null", '"x"', "{}", "NaN", "1e999", "[[[[1]]]]"])
def test_every_part_of_the_description_may_be_anything(
    good: Path, tmp_path: Path, data: str
) -> None:
    about = json.loads((good / "record.json").read_text())
    places = list(paths(about))
    assert len(places) > 80
    opened, told = 0, []
    for place in places:
        text = json.dumps(with_part(about, place, "@here@")).replace('"@here@"', data)
        folder = tmp_path / "r"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(good, folder)
        (folder / "record.json").write_text(text)
        try:
            use(folder)
            opened += 1
        except LayerscopeError as error:
            told.append(str(error))
    assert [words for words in told if str(folder) not in words] == []
    # What is only told, such as the shape of an input, may be another number.
    assert opened < len(places)


def paths(value: Any, at: tuple[Any, ...] = ()) -> Any:
    if at:
        yield at
    if isinstance(value, dict):
        for name, part in value.items():
            yield from paths(part, (*at, name))
    elif isinstance(value, list):
        for number, part in enumerate(value[:2]):
            yield from paths(part, (*at, number))


def with_part(about: Any, place: tuple[Any, ...], data: Any) -> Any:
    changed = copy.deepcopy(about)
    part = changed
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = data
    return changed


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda a: a["nodes"][0].update(shape=[None, -1, 10, 4]), "a whole number from 0"),
        (lambda a: a["nodes"][0].update(shape=[None, 10, 4]), "does not go with its axes NHWC"),
        (lambda a: a["nodes"][0].update(axes="NHWW"), "does not go with its axes NHWW"),
        (lambda a: a["nodes"][0].update(axes="NHWX"), "a node is not understood"),
        (lambda a: a["nodes"].append(a["nodes"][0]), "each with a name of its own"),
        (lambda a: a.update(nodes=[]), "each with a name of its own"),
        (lambda a: a.update(labels=[]), "as many names and previews as there are pictures"),
        (lambda a: a.update(labels=["x"] * 2000), "a list of at most 1,024"),
        (lambda a: a["nodes"][0].update(name="x" * 9000), "a text of at most 2,000 characters"),
        (lambda a: a.pop("kernels"), "it has no 'kernels'"),
        (lambda a: a.update(record=2), "is of version 2 of the format"),
    ],
)
def test_descriptions_that_cannot_be(copied: Path, edit: Any, said: str) -> None:
    change(copied, edit)
    with pytest.raises(InputError, match=said) as caught:
        ls.Record.open(copied)
    assert str(caught.value).startswith(str(copied / "record.json"))


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("maps/0", npy(np.zeros((1, 4, 10, 11), np.uint8)), "was expected"),
        ("maps/0", npy(np.zeros((1, 4, 10, 10), np.float32)), "is float32, and uint8 was expected"),
        ("maps/0", npy(np.zeros(400, np.uint8), shape=(1, 4, 10, 10**6)), "was expected"),
        ("maps/0", npy(np.zeros(40, np.uint8), shape=(1, 4, 10, 10)), "maps/0 is cut off"),
        ("maps/0", npy(np.zeros((3, 4, 10, 10), np.uint8)), "do not go together"),
        ("maps/0", npy(np.zeros((0, 4, 10, 10), np.uint8)), "do not go together"),
        ("maps/0", npy(np.array([{}] * 400, object)), "is object, and uint8 was expected"),
        ("maps/0", b"", "magic|EOF|expected"),
        ("maps/0", b"\x93NUMPY\x01\x00\xff\xff{", "damaged part"),
        ("maps/0", b"\x93NUMPY\x01\x00\x76\x00" + b"(" * 117 + b"\n", "damaged part"),
        ("maps/0", b"\x93NUMPY\x03\x00\x76\x00\x00\x00" + b" " * 117 + b"\n", "another version"),
        ("low/0", npy(np.zeros((1, 5), np.float32)), "low/0 has shape"),
        ("low/0", npy(np.zeros((1, 4), "S4")), "low/0 is bytes"),
        ("zeros/0", npy(np.zeros((4, 4))), "zeros/0 has shape"),
        ("kernel/0", npy(np.zeros((3, 4), np.float32)), "axes were expected"),
        ("kernel/0", npy(np.zeros((3, 3, 0, 4), np.float32)), "axes were expected"),
        ("kernel/0", npy(np.zeros(3, np.int64)), "kernel/0 is int64"),
    ],
)
def test_epochs_that_cannot_be(
    copied: Path, name: str, data: bytes, said: str, command: Command, tmp_path: Path
) -> None:
    replace_member(storage.epoch_file(copied, 1), name, data)
    with pytest.raises(InputError, match=said):
        use(copied)
    done = command("view", copied, "-o", tmp_path / "out")
    assert done.status == 1
    assert not (tmp_path / "out").exists()


def test_values_that_are_no_numbers_are_drawn(copied: Path) -> None:
    file = storage.epoch_file(copied, 1)
    odd = np.array([[np.nan, np.inf, -np.inf, 3e38]], np.float32)
    replace_member(file, "low/0", npy(-odd))
    replace_member(file, "high/0", npy(odd))
    replace_member(file, "mean/0", npy(np.full(4, np.nan)))
    replace_member(file, "zeros/0", npy(np.array([np.nan, -3, 7, np.inf])))
    replace_member(file, "kernel/0", npy(np.full((3, 3, 3, 4), np.nan, np.float32)))
    assert use(copied)
    with serving(lambda ticket: Film(ls.Record.open(copied))) as served:
        assert served.json("api/record")["record"]["ranges"][0]["high"] == float(np.float32(3e38))
        for scale in ("epochs", "epochs-channel", "channel", "symmetric"):
            path = f"api/runs/p0e1/layers/0/picture.png?scale={scale}"
            assert served.get(path).status_code == 200


def test_members_that_are_packed_otherwise(copied: Path) -> None:
    data = npy(np.zeros((1, 4, 10, 10), np.uint8))
    replace_member(storage.epoch_file(copied, 1), "maps/0", data, zipfile.ZIP_LZMA)
    with pytest.raises(InputError, match="is compressed in a way that records are not"):
        use(copied)


def test_a_table_of_contents_that_is_too_large(copied: Path) -> None:
    file = storage.epoch_file(copied, 1)
    data = bytearray(file.read_bytes())
    at = data.rindex(b"PK\x05\x06")
    data[at + 12 : at + 16] = (2**30).to_bytes(4, "little")
    file.write_bytes(data)
    with pytest.raises(InputError, match="its table of contents is larger than any record's"):
        use(copied)


BOMB = """\
import resource, sys
from layerscope.errors import LayerscopeError
from layerscope.faces.explorer.film.film import Film
from layerscope.training.record import Record

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
film = Film(Record.open(sys.argv[1]))
try:
    film.layer(film.run("p0e1"), 0)
except LayerscopeError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_bomb_takes_no_memory(copied: Path) -> None:
    """A gigabyte of zeros in a megabyte: refused before it is unpacked."""
    change(copied, lambda about: about["nodes"][0].update(shape=[None, None, None, 4]))
    file = storage.epoch_file(copied, 1)
    with zipfile.ZipFile(file) as archive:
        held = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for one, content in held.items():
            if one == "maps/0.npy":
                head = npy(np.zeros(0, np.uint8), shape=(1, 4, 2**14, 2**14))
                with archive.open(one, "w", force_zip64=True) as member:
                    member.write(head)
                    for _ in range(2**10):
                        member.write(bytes(2**20))
            else:
                archive.writestr(one, content)
    assert file.stat().st_size < 2**24
    done = subprocess.run(
        [sys.executable, "-c", BOMB, str(copied)], capture_output=True, text=True, check=True
    )
    said, kilobytes = done.stdout.splitlines()
    assert said.endswith("and with it more than 536,870,912 bytes are asked for at once")
    assert int(kilobytes) < 60_000


@pytest.mark.parametrize(
    "text",
    [
        "epoch,loss\n1e300,1\n",
        "epoch,loss\n-1,1\n",
        "epoch,loss\nnan,1\n",
        "epoch,loss\n1.5,1\n",
        "loss\n1\n",
        "epoch,loss\n1,2,3\n",
        "epoch,loss\n1,x\n",
        "epoch," + ",".join(f"c{i}" for i in range(300)) + "\n1" + ",1" * 300 + "\n",
        'epoch,"' + "x" * 200_000 + '"\n1,1\n',
        "a,\x00\n\x00\x01,1\n",
    ],
)
def test_histories_that_cannot_be(copied: Path, text: str) -> None:
    (copied / "history.csv").write_text(text)
    with pytest.raises(InputError, match="is no table of a training's history"):
        use(copied)


def test_numbers_of_a_history_that_are_none(copied: Path) -> None:
    (copied / "history.csv").write_text("epoch,loss,<b>\n1,nan,inf\n2,,-inf\n3,1e300,1\n")
    found = Film(ls.Record.open(copied)).fresh()["record"]["history"]
    assert found == {"epoch": [1, 2, 3], "loss": [None, None, 1e300], "<b>": [None, None, 1.0]}
    assert use(copied)


@pytest.mark.parametrize("name", ["x.npz", "1.npz", "-0001.npz", "٠٠٠٠٧.npz", "0000001.npz"])
def test_files_that_are_no_epochs(copied: Path, name: str) -> None:
    shutil.copy(storage.epoch_file(copied, 1), copied / "epochs" / name)
    assert ls.Record.open(copied).epochs == (0, 1)


def test_an_epoch_of_an_absurd_number(copied: Path) -> None:
    shutil.copy(storage.epoch_file(copied, 1), copied / "epochs/999999999.npz")
    assert Film(ls.Record.open(copied)).manifest()["record"]["epochs"] == [0, 1, 999_999_999]
    assert use(copied)


def test_more_epochs_than_a_page_can_bear(copied: Path) -> None:
    for epoch in range(2, 8200):
        (copied / f"epochs/{epoch:05d}.npz").hardlink_to(storage.epoch_file(copied, 1))
    film = Film(ls.Record.open(copied))
    first = film.epochs
    assert first == (*range(0, 8200, 4), 8199)
    (copied / "epochs/08200.npz").hardlink_to(storage.epoch_file(copied, 1))
    assert film.epochs == (*range(0, 8200, 4), 8200)


def test_another_record_in_its_place(copied: Path) -> None:
    film = Film(ls.Record.open(copied))
    assert film.fresh()
    change(copied, lambda about: about["nodes"].pop())
    with pytest.raises(InputError, match="now holds the record of another training: open it again"):
        film.fresh()


def test_names_that_do_harm(copied: Path, tmp_path: Path, command: Command) -> None:
    """In the page, on the terminal, and as names of files."""
    names = [EVIL, "../../up", "a\x1b[31m\nb", "CON"]

    def rename(about: Any) -> None:
        for node, name in zip(about["nodes"], names, strict=True):
            node.update(name=name, layer=name, type=EVIL)
        about.update(labels=[EVIL], kernels=[names[0]])
        about["inputs"][0].update(file=EVIL, steps=[EVIL])
        about["model"].update(file=EVIL, framework=EVIL)

    change(copied, rename)
    (copied / "history.csv").write_text("epoch,<script>\n1,1\n")
    done = command("view", copied, "-o", tmp_path / "out")
    assert (done.status, done.err) == (0, "")
    assert "\x1b" not in done.out
    check_harmless((tmp_path / "out/report.html").read_text(encoding="utf-8"))
    inside = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert all(tmp_path / "out" in path.parents or copied in path.parents for path in inside)


def test_random_damage(good: Path, tmp_path: Path) -> None:
    """Bytes of any file changed at random: an answer or a clear error, never a crash."""
    chance = random.Random(5)
    files = [path for path in good.rglob("*") if path.is_file()]
    refused = 0
    for number in range(60):
        folder = tmp_path / str(number)
        shutil.copytree(good, folder)
        path = folder / chance.choice(files).relative_to(good)
        data = bytearray(path.read_bytes())
        for _ in range(chance.choice((1, 5, 50))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            use(folder)
        except LayerscopeError:
            refused += 1
        shutil.rmtree(folder)
    assert refused > 20
