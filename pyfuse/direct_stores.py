"""Stores that a kernel makes itself, straight into the caller's array, where that is seen by nobody.

What is stored is otherwise an array of its own, copied into its place when nothing can fail any more (decision 11). The
kernel may write there itself where it reads nothing of that memory: should it meet an error that NumPy reports, the
original runs as ever, reads what it would have read, and stores the same. Only where the report would stop it before
its store, or where a number or index of the call may, must the array be left alone until the end.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from pyfuse.call_result import check_store
from pyfuse.compiler import Specialization
from pyfuse.errors import CannotFuse
from pyfuse.frontend.build_graph import HostRecipe, StoreRecipe
from pyfuse.graph.loop_plan import LoopPlan, Nest
from pyfuse.graph.nodes import Gather
from pyfuse.host_values import HostArgument, HostConstant, evaluation_of
from pyfuse.launch import DirectStores, Launch
from pyfuse.memory_overlap import may_overlap
from pyfuse.runner import Arguments, Run, does_not_fit

# Of all arrays that are stored. Below, a copy in the second-level cache takes less than what is looked at here.
LEAST_BYTES = 1 << 18


def direct_stores(
    specialization: Specialization, plan: LoopPlan, arguments: Arguments, inputs: Sequence[np.ndarray]
) -> DirectStores | None:
    """Which arrays of the caller a call's kernel may write into; None where it must not, or it is not worth it."""
    stores = specialization.stores
    if not stores or not _may_be_direct(specialization, plan):
        return None
    targets = _targets(stores, arguments)
    read = tuple(sorted({load.index for nest in plan.nests for load in nest.loads}))
    if targets is None or not _are_free(stores, targets, specialization, [inputs[index] for index in read]):
        return None
    if sum(target.nbytes for target in targets) < LEAST_BYTES or may_stop():
        return None
    return DirectStores(
        strides={store.index: target.strides for store, target in zip(stores, targets, strict=True)}, read=read
    )


def may_stop() -> bool:
    """Whether a report would raise an exception here, or call what may raise one."""
    if any(mode in ("raise", "call") for mode in np.geterr().values()):
        return True
    if getattr(sys.flags, "context_aware_warnings", False):
        return True  # filters of another kind
    return any(entry[0] == "error" and issubclass(RuntimeWarning, entry[2]) for entry in warnings.filters)


def run_directly(launch: Launch, otherwise: Run) -> Run:
    """The way of a launch whose kernel writes into the caller's arrays.

    Args:
        launch: made for the strides of the targets.
        otherwise: the way of calls for which it must not.
    """
    address = launch.prepared.address
    specialization = launch.specialization
    assert isinstance(launch.own_stores, DirectStores)
    stores, strides, read = specialization.stores, launch.own_stores.strides, launch.own_stores.read
    evaluate = evaluation_of(specialization.inputs)
    result = specialization.result
    assert isinstance(result, HostRecipe)

    def run(arguments: Arguments) -> tuple[Any, int]:
        inputs = evaluate(arguments)
        targets = _targets(stores, arguments)
        if (
            targets is None
            or any(target.strides != strides[store.index] for store, target in zip(stores, targets, strict=True))
            or not _are_free(stores, targets, specialization, [inputs[index] for index in read])
            or may_stop()
        ):
            return otherwise(arguments)
        for store, target in zip(stores, targets, strict=True):
            check_store(target, [array.evaluate(arguments) for array in store.apart])
        outputs = {store.index: target for store, target in zip(stores, targets, strict=True)}
        try:
            scalars = launch.scalars(arguments) if specialization.scalars else ()
            packed = launch.pack(
                *map(address, inputs), *[address(outputs[number]) for number in range(len(outputs))], *scalars
            )
        except MemoryError:
            raise
        except Exception as error:
            raise does_not_fit(error) from error
        return result.expression.evaluate(arguments), launch.prepared.start(packed)

    return run


def _may_be_direct(specialization: Specialization, plan: LoopPlan) -> bool:
    """Whether nothing but a report can keep the original from its stores, and nothing else reads what is stored."""
    graph, result = specialization.graph, specialization.result
    return (
        isinstance(result, HostRecipe)
        and isinstance(result.expression, HostArgument | HostConstant)
        and len({store.index for store in specialization.stores}) == len(graph.outputs)
        and not graph.loops
        and not plan.temporaries
        and not any(isinstance(node, Gather) for node in graph.nodes)
        and all(isinstance(nest, Nest) for nest in plan.nests)
    )


def _targets(stores: Sequence[StoreRecipe], arguments: Arguments) -> list[np.ndarray] | None:
    """The arrays that are stored into; None where one cannot be had."""
    try:
        targets = [store.target.evaluate(arguments) for store in stores]
    except MemoryError:
        raise
    except Exception:  # the original raises it again, in order
        return None
    return targets if all(type(target) is np.ndarray for target in targets) else None


def _are_free(
    stores: Sequence[StoreRecipe], targets: Sequence[np.ndarray], specialization: Specialization, inputs: Sequence[Any]
) -> bool:
    """Whether a kernel may write into the targets in any order: nothing that is read lies there."""
    for number, (store, target) in enumerate(zip(stores, targets, strict=True)):
        flags = target.flags
        if not (flags.writeable and flags.aligned and target.dtype == specialization.output_dtypes[store.index]):
            return False
        if any(stride <= 0 for stride, extent in zip(target.strides, target.shape, strict=True) if extent > 1):
            return False
        try:
            check_store(target, inputs)
        except CannotFuse:
            return False
        if any(may_overlap(target, other) for other in targets[:number]):
            return False
    return True
