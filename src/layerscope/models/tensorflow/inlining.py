"""A graph with the functions that it calls written out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerscope.models.quiet import quiet_import
from layerscope.models.tensorflow.wiring import Wiring

_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


def inlined(graph_def: Any, kept: Sequence[str]) -> Any:
    """The graph with the functions that it calls written out; loops and choices stay."""
    if not any(node.op in _CALLS for node in graph_def.node):
        return graph_def
    from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, rewriter_config_pb2
    from tensorflow.python.framework.convert_to_constants import disable_lower_using_switch_merge
    from tensorflow.python.grappler import tf_optimizer

    graph_def = disable_lower_using_switch_merge(graph_def)
    for function in graph_def.library.function:
        for attr in ("api_implements", "_noinline"):
            if attr in function.attr:
                del function.attr[attr]
    meta = meta_graph_pb2.MetaGraphDef()
    meta.graph_def.CopyFrom(graph_def)
    meta.collection_def["train_op"].node_list.value.extend(dict.fromkeys(kept))
    config = config_pb2.ConfigProto()
    rewrite = config.graph_options.rewrite_options
    rewrite.min_graph_nodes = -1
    rewrite.optimizers.append("function")
    rewrite.function_optimization = rewriter_config_pb2.RewriterConfig.AGGRESSIVE
    with quiet_import():
        inlined = tf_optimizer.OptimizeGraph(config, meta)
    ordered = type(inlined)()
    ordered.CopyFrom(inlined)
    del ordered.node[:]
    ordered.node.extend(Wiring(inlined).in_branches())
    return ordered
