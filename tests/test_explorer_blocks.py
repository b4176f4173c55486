"""Long networks are folded where a reader would fold them."""

from typing import Any

import pytest

from layerscope.faces.explorer.answers.blocks import fold


def chain(*names: str, type: str = "Conv2D") -> list[dict[str, Any]]:
    """Nodes that each feed the next."""
    return [
        {
            "name": name,
            "type": type,
            "operation": {"kind": "convolution"},
            "inputs": [names[i - 1] if i else "in"],
        }
        for i, name in enumerate(names)
    ]


def titles(nodes: list[dict[str, Any]]) -> list[tuple[str, int]]:
    blocks = fold(nodes)
    assert [block.start for block in blocks[1:]] == [block.stop for block in blocks[:-1]]
    assert not nodes or (blocks[0].start, blocks[-1].stop) == (0, len(nodes))
    return [(block.title, block.stop - block.start) for block in blocks]


def keras_nodes(model: Any) -> list[dict[str, Any]]:
    from layerscope.models import open_model

    return [node.as_json() for node in open_model(model).graph]


def test_nothing_and_one_layer() -> None:
    assert titles([]) == []
    assert titles(chain("conv")) == [("conv", 1)]


def test_paths_divide_a_network_below_the_path_that_all_share() -> None:
    nodes = chain(
        *("Net/Stem/conv", "Net/Stem/relu"),
        *("Net/Mixed_3a/left/conv", "Net/Mixed_3a/right/conv", "Net/Mixed_3a/concat"),
        *("Net/Logits/pool", "Net/Logits/dense"),
    )
    assert titles(nodes) == [("Net/Stem", 2), ("Net/Mixed_3a", 3), ("Net/Logits", 2)]


def test_name_prefixes_divide_and_what_has_none_is_a_block_of_its_own() -> None:
    nodes = chain(
        *("block1_conv1", "block1_conv2", "block1_pool"),
        *("block2_conv1", "block2_conv2", "block2_pool"),
        *("flatten", "predictions"),
    )
    assert titles(nodes) == [("block1", 3), ("block2", 3), ("flatten … predictions", 2)]


def test_prefixes_below_the_path_of_a_nested_model() -> None:
    nodes = chain(
        *("base/block1_conv", "base/block1_pool", "base/block2_conv", "base/block2_pool"),
        *("head/dense_a", "head/dense_b"),
    )
    assert titles(nodes[:4]) == [("base/block1", 2), ("base/block2", 2)]
    assert titles(nodes) == [("base", 4), ("head", 2)]


def test_numbered_prefixes() -> None:
    nodes = chain(
        *("Conv1", "bn_Conv1"),
        *(f"block_{i}_{part}" for i in range(1, 31) for part in ("expand", "project")),
    )
    expected = [("Conv1 … bn_Conv1", 2), *((f"block_{i}", 2) for i in range(1, 31))]
    assert titles(nodes) == expected


def test_names_that_keras_made_say_nothing() -> None:
    assert titles(chain("conv2d", "conv2d_1", "conv2d_2")) == [("conv2d … conv2d_2", 3)]


def test_a_long_chain_is_cut_after_pooling() -> None:
    nodes = chain(*("conv2d" if i == 0 else f"conv2d_{i}" for i in range(45)))
    for i in (9, 29):
        nodes[i] |= {"operation": {"kind": "pooling"}}
    assert titles(nodes) == [
        ("conv2d … conv2d_9", 10),
        ("conv2d_10 … conv2d_29", 20),
        ("conv2d_30 … conv2d_44", 15),
    ]


@pytest.fixture(scope="module")
def keras() -> Any:
    import keras

    return keras


def test_resnet50_is_folded_by_its_blocks(keras: Any) -> None:
    nodes = keras_nodes(keras.applications.ResNet50(weights=None))
    # He et al. (2015), table 1: 3, 4, 6 and 3 blocks; the first of each has a projection.
    expected = [("conv1_pad … pool1_pool", 6)]
    for stage, blocks in ((2, 3), (3, 4), (4, 6), (5, 3)):
        expected += [(f"conv{stage}_block{b}", 12 if b == 1 else 10) for b in range(1, blocks + 1)]
    assert titles(nodes) == [*expected, ("avg_pool … predictions", 2)]


def test_inception_v3_is_folded_by_its_mixed_modules(keras: Any) -> None:
    from layerscope.faces.explorer.answers.branches import Region, find_branches, lay_out, wiring

    keras.utils.clear_session()
    nodes = keras_nodes(keras.applications.InceptionV3(weights=None, input_shape=(75, 75, 3)))
    assert [title for title, _ in titles(nodes)] == [
        "conv2d … max_pooling2d_1",
        *(f"mixed{i}" for i in range(11)),
        "avg_pool … predictions",
    ]
    # Szegedy et al. (2015): modules have four branches, those that shrink the maps three.
    found = find_branches(wiring(nodes))
    for block in fold(nodes)[1:-1]:
        items = lay_out([node["name"] for node in nodes[block.start : block.stop]], found)
        region = items[0]
        assert isinstance(region, Region)
        assert items[1:] == [block.title] == [region.join]
        assert len(region.branches) == (3 if block.title in ("mixed3", "mixed8") else 4)


def test_a_residual_network_without_telling_names_is_cut_where_it_narrows(keras: Any) -> None:
    layers = keras.layers
    x = start = keras.Input((8, 8, 4))
    for _ in range(4):
        y = layers.Conv2D(4, 3, padding="same")(x)
        y = layers.BatchNormalization()(y)
        y = layers.Activation("relu")(y)
        y = layers.Conv2D(4, 3, padding="same")(y)
        x = layers.Activation("relu")(layers.Add()([x, y]))
    x = layers.Dense(2)(layers.GlobalAveragePooling2D()(x))
    sizes = [size for _, size in titles(keras_nodes(keras.Model(start, x)))]
    assert sizes == [6, 6, 6, 5, 3]
