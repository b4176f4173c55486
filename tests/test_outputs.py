"""Writing whole or not at all, and never over another's files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerscope.errors import OutputError
from layerscope.outputs import new_file, new_folder, safe_name, unique_names


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_folder(target: Path, text: str = "a", *, force: bool = False) -> None:
    with new_folder(target, force=force) as folder:
        (folder / "manifest.json").write_text(json.dumps({"layerscope": "0"}))
        (folder / text).write_text(text)


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    write_folder(tmp_path / "sub" / "out")
    assert left(tmp_path / "sub" / "out") == ["a", "manifest.json"]
    assert left(tmp_path / "sub") == ["out"]


def test_own_folder_is_replaced_and_nothing_of_the_old_stays(tmp_path: Path) -> None:
    write_folder(tmp_path / "out", "a")
    write_folder(tmp_path / "out", "b")
    assert left(tmp_path / "out") == ["b", "manifest.json"]
    assert left(tmp_path) == ["out"]


def test_anothers_folder_is_kept(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("x")
    with pytest.raises(OutputError) as raised:
        write_folder(tmp_path / "out")
    assert str(raised.value) == (
        f"{tmp_path / 'out'} exists and layerscope did not write it. "
        "Choose another place with -o, or pass --force to replace it."
    )
    assert (tmp_path / "out" / "thesis.txt").read_text() == "x"
    write_folder(tmp_path / "out", force=True)
    assert left(tmp_path / "out") == ["a", "manifest.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_result(tmp_path: Path, error: type[BaseException]) -> None:
    write_folder(tmp_path / "out", "a")
    with pytest.raises(error), new_folder(tmp_path / "out") as folder:
        (folder / "half").write_text("x")
        raise error
    assert left(tmp_path / "out") == ["a", "manifest.json"]
    assert left(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "x.npz"
    target.write_text("old")
    with pytest.raises(error), new_file(target, force=True) as file:
        file.write_text("new")
        raise error
    assert target.read_text() == "old"
    assert left(tmp_path) == ["x.npz"]


def test_anothers_file_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "x.npz"
    target.write_text("old")
    with pytest.raises(OutputError, match="exists and layerscope did not write it"):
        with new_file(target) as file:
            file.write_text("new")
    assert target.read_text() == "old"
    with new_file(target, own=True) as file:
        file.write_text("new")
    assert target.read_text() == "new"


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "keep").write_text("x")
    (tmp_path / "out").symlink_to(tmp_path / "real")
    with pytest.raises(OutputError, match="layerscope did not write it"):
        write_folder(tmp_path / "out")
    write_folder(tmp_path / "out", force=True)
    assert left(tmp_path / "real") == ["keep"]


def test_a_file_in_the_way_of_the_parent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"file/out cannot be written: .*choose another place"):
        write_folder(tmp_path / "file" / "out")


def test_a_full_disk(tmp_path: Path) -> None:
    # /dev/full refuses every write with ENOSPC, as a full disk does.
    with pytest.raises(OutputError) as raised, new_folder(tmp_path / "out") as folder:
        os.symlink("/dev/full", folder / "a.npy")
        (folder / "a.npy").write_bytes(b"x" * 100_000)
    assert str(raised.value) == (
        f"{tmp_path / 'out'} cannot be written: No space left on device. Nothing was left "
        "half-written; choose another place with -o, or make room."
    )
    assert left(tmp_path) == []


def test_a_folder_without_the_right_to_write(tmp_path: Path) -> None:
    # The superuser may write anywhere but in the kernel's own file system.
    code = (
        "from layerscope.outputs import new_folder\nfrom layerscope.errors import OutputError\n"
        "from pathlib import Path\n"
        "try:\n    with new_folder(Path('/proc/layerscope')): pass\n"
        "except OutputError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "/proc/layerscope cannot be written" in done.stdout


@given(st.text(max_size=200))
def test_safe_names_stay_in_their_folder(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert "/" not in safe
    assert not safe.startswith((".", "-"))
    assert safe.isascii()
    assert len(safe) <= 120


@given(st.lists(st.text(max_size=8), unique=True, max_size=20))
def test_unique_names_differ_whatever_the_case(names: list[str]) -> None:
    found = unique_names(names)
    assert list(found) == names
    assert len({safe.lower() for safe in found.values()}) == len(names)


def test_readable_names_stay_readable() -> None:
    assert unique_names(["conv2d", "Conv2D", "vgg16/block1_conv1", "conv2d:pre", "lstm[1]"]) == {
        "conv2d": "conv2d",
        "Conv2D": "Conv2D~2",
        "vgg16/block1_conv1": "vgg16-block1_conv1",
        "conv2d:pre": "conv2d-pre",
        "lstm[1]": "lstm[1]",
    }
