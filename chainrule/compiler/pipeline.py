"""The compiler on one screen: from a graph to a scheduled program.

Each stage is a named function from a value to a value, and each value can be printed; `stages_of` keeps them all.
Machine code is made from the program's kernels by `runtime.engine`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from chainrule.compiler.cleanup import drop_dead_nodes, merge_equal_nodes
from chainrule.compiler.fuse import build_program
from chainrule.compiler.precision import spell_out_precision
from chainrule.compiler.program import Program
from chainrule.compiler.schedule import schedule_kernel
from chainrule.compiler.simplify import simplify
from chainrule.compiler.target import Target
from chainrule.graph.ir import Graph

GRAPH_STAGES: tuple[Callable[[Graph], Graph], ...] = (simplify, merge_equal_nodes, drop_dead_nodes)
"""Stages from graph to graph, in order."""


def compile_graph(graph: Graph, updates: Mapping[int, int], target: Target) -> Program:
    """The program of a graph; ``updates[output] = input`` names the outputs that replace an input's value."""
    graph = spell_out_precision(graph, target)
    for stage in GRAPH_STAGES:
        graph = stage(graph)
    return choose_schedules(build_program(graph, updates), target)


def choose_schedules(program: Program, target: Target) -> Program:
    """The program with a schedule for each kernel."""
    return replace(program, kernels=tuple(schedule_kernel(kernel, target) for kernel in program.kernels))


def stages_of(graph: Graph, updates: Mapping[int, int], target: Target) -> dict[str, Graph | Program]:
    """Every stage's result by the stage's name, for printing."""
    results: dict[str, Graph | Program] = {"trace": graph}
    results["spell_out_precision"] = graph = spell_out_precision(graph, target)
    for stage in GRAPH_STAGES:
        graph = stage(graph)
        results[stage.__name__] = graph
    results["build_program"] = program = build_program(graph, updates)
    results["choose_schedules"] = choose_schedules(program, target)
    return results
