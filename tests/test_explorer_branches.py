"""Parallel branches are found where one node feeds paths that meet again, and nowhere else."""

from layerscope.faces.explorer.answers.branches import Region, find_branches, lay_out, wiring


def test_an_inception_module_has_a_branch_for_every_path() -> None:
    wires = {
        "stem": ["in"],
        "one": ["stem"],
        "reduce": ["stem"],
        "pool": ["stem"],
        "three": ["reduce"],
        "project": ["pool"],
        "mix": ["one", "three", "project"],
        "after": ["mix"],
    }
    found = find_branches(wires)
    region = Region("stem", "mix", (("one",), ("reduce", "three"), ("pool", "project")))
    assert found.regions == {"mix": region}
    assert found.shortcuts == {}
    assert lay_out(list(wires), found) == ["stem", region, "mix", "after"]


def test_a_residual_shortcut_is_no_branch() -> None:
    wires = {"a": ["in"], "b": ["a"], "c": ["b"], "sum": ["a", "c"], "d": ["sum"]}
    found = find_branches(wires)
    assert found.regions == {}
    assert found.shortcuts == {"sum": "a"}
    assert lay_out(list(wires), found) == list(wires)


def test_a_network_input_can_be_the_fork() -> None:
    found = find_branches({"left": ["in"], "right": ["in"], "mix": ["left", "right"]})
    assert found.regions["mix"] == Region("in", "mix", (("left",), ("right",)))


def test_a_branch_that_forks_and_joins_holds_a_region_of_its_own() -> None:
    wires = {
        "a": ["in"],
        "left": ["a"],
        "right": ["a"],
        "r1": ["right"],
        "r2": ["right"],
        "inner": ["r1", "r2"],
        "mix": ["left", "inner"],
    }
    found = find_branches(wires)
    inner = Region("right", "inner", (("r1",), ("r2",)))
    outer = Region("a", "mix", (("left",), ("right", inner, "inner")))
    assert found.regions == {"inner": inner, "mix": outer}
    assert lay_out(list(wires), found) == ["a", outer, "mix"]


def test_residual_blocks_inside_a_branch_are_part_of_its_chain() -> None:
    wires = {
        "a": ["in"],
        "left": ["a"],
        "b": ["a"],
        "c": ["b"],
        "sum": ["b", "c"],
        "mix": ["left", "sum"],
    }
    found = find_branches(wires)
    assert found.shortcuts == {"sum": "b"}
    assert found.regions == {"mix": Region("a", "mix", (("left",), ("b", "c", "sum")))}


def test_branches_and_a_shortcut_from_the_same_fork() -> None:
    wires = {
        "a": ["in"],
        "left": ["a"],
        "right": ["a"],
        "mix": ["left", "right"],
        "up": ["mix"],
        "sum": ["a", "up"],
    }
    found = find_branches(wires)
    region = Region("a", "mix", (("left",), ("right",)))
    assert found.regions == {"mix": region}
    assert found.shortcuts == {"sum": "a"}
    assert lay_out(list(wires), found) == ["a", region, "mix", "up", "sum"]


def test_paths_from_different_nodes_are_listed_in_order() -> None:
    two_inputs = {"left": ["in1"], "right": ["in2"], "mix": ["left", "right"]}
    found = find_branches(two_inputs)
    assert (found.regions, found.shortcuts) == ({}, {})

    # A U-Net: the encoder's output is used again behind the bottleneck's own residual link.
    crossing = {
        "a": ["in"],
        "b": ["a"],
        "c": ["a"],
        "first": ["b", "c"],
        "second": ["b", "first"],
    }
    found = find_branches(crossing)
    assert (found.regions, found.shortcuts) == ({}, {})


def test_an_output_in_the_middle_of_a_branch_keeps_it_from_being_one() -> None:
    wires = {"a": ["in"], "b": ["a"], "c": ["a"], "side": ["b"], "mix": ["b", "c"]}
    assert find_branches(wires).regions == {}


def test_a_region_that_other_nodes_interrupt_is_not_laid_out() -> None:
    wires = {
        "a": ["in"],
        "left": ["a"],
        "other": ["in2"],
        "right": ["a"],
        "mix": ["left", "right"],
    }
    found = find_branches(wires)
    assert set(found.regions) == {"mix"}
    assert lay_out(list(wires), found) == list(wires)


def test_a_region_is_laid_out_only_where_all_of_it_is_listed() -> None:
    wires = {"a": ["in"], "left": ["a"], "right": ["a"], "mix": ["left", "right"]}
    found = find_branches(wires)
    assert lay_out(["right", "mix"], found) == ["right", "mix"]


def test_very_many_branches_are_listed() -> None:
    many = {f"b{i}": ["a"] for i in range(9)}
    wires = {"a": ["in"], **many, "mix": list(many)}
    assert lay_out(list(wires), find_branches(wires)) == list(wires)
    assert len(lay_out(list(wires), find_branches(wires), most=9)) == 3


def test_the_call_of_a_nested_model_is_fed_by_its_own_last_node() -> None:
    def node(name: str, kind: str, *inputs: str) -> dict[str, object]:
        return {"name": name, "operation": {"kind": kind}, "inputs": list(inputs)}

    nodes = [
        node("stem", "convolution", "in"),
        node("base/conv", "convolution", "stem"),
        node("base/pool", "pooling", "base/conv"),
        node("base", "submodel", "stem"),
        node("twice", "elementwise", "base", "base"),
    ]
    assert wiring(nodes) == {
        "stem": ("in",),
        "base/conv": ("stem",),
        "base/pool": ("base/conv",),
        "base": ("base/pool",),
        "twice": ("base",),
    }
