"""A launch: a native call on a NumPy array as a builtin function of Python, with all that it needs fixed beforehand.

What Python, NumPy and ctypes do around a call takes longer than a small network. Here native code does it, as in a C
extension: a launch takes one array, and its `self` is an array of words that say what to do (`Word`).

    1. Is it an ndarray of just this dtype and shape, in C order; are calls left; is the gate open? Else return -1.
    2. Count the call, copy the array, set the counter to 0, call the function.
    3. Return the status that the function has written.

Python's lock (the GIL) is kept all the time. Nothing is used but what Python's stable interface and NumPy's C interface
promise: where in an array its type, data, rank, shape, dtype and flags stand.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any

import numpy as np

from chainrule.compiler.target import Target
from chainrule.runtime import cache, engine

_ARGUMENTS = 6
_ONE_ARGUMENT = 8  # METH_O


class Word(IntEnum):
    """Words of a launch; behind them stand the function's arguments, then the shape."""

    TYPE = 0  # address of the type `ndarray`
    DTYPE = 1  # address of the dtype
    RANK = 2
    SHAPE = 3  # address of the sizes
    INTO = 4  # address that the array is copied to
    BYTES = 5  # of the array
    CALLS = 6  # address of the number of calls left
    GATE = 7  # address of a word
    LEAST = 8  # the gate is open if that word is at least so much
    COUNTER = 9  # address of a word that is 0 when the call begins
    FUNCTION = 10
    STATUS = 11  # address of an int32
    MOVE = 12  # `memmove`
    MAKE = 13  # makes an integer of Python
    WORDS = 14


class _Definition(ctypes.Structure):
    """PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("code", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("description", ctypes.c_char_p),
    )


def can_launch() -> bool:
    """Whether this Python is the usual one, whose objects and whose lock a launch knows."""
    return sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()


def make_launch(
    target: Target,
    function: int,
    arguments: Sequence[int],
    into: np.ndarray,
    status: np.ndarray,
    calls: np.ndarray,
    gate: tuple[np.ndarray, int],
    counter: np.ndarray,
) -> Callable[[Any], int]:
    """The launch of the function at an address; the arrays must outlive it.

    Args:
        arguments: up to six words; a function that takes fewer does not see the others.
        into: memory in C order; arrays like it are taken, and copied there.
        status: int32, which the function writes.
        calls: int64, one less after each call; at 0 there are none.
        gate: int64, and what it must at least be.
        counter: int64, which is 0 when the function begins.
    """
    api: Any = ctypes.pythonapi
    words = np.zeros(Word.WORDS + _ARGUMENTS + into.ndim, dtype=np.int64)
    words[Word.TYPE : Word.SHAPE] = id(np.ndarray), id(into.dtype), into.ndim
    words[Word.SHAPE] = words.ctypes.data + 8 * (Word.WORDS + _ARGUMENTS)
    words[Word.INTO : Word.CALLS] = into.ctypes.data, into.nbytes
    words[Word.CALLS : Word.COUNTER] = calls.ctypes.data, gate[0].ctypes.data, gate[1]
    words[Word.COUNTER : Word.MOVE] = counter.ctypes.data, function, status.ctypes.data
    words[Word.MOVE : Word.WORDS] = address_of(ctypes.memmove), address_of(api.PyLong_FromLong)
    words[Word.WORDS : Word.WORDS + len(arguments)] = arguments
    words[Word.WORDS + _ARGUMENTS :] = into.shape
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    launch: Callable[[Any], int] = make(address_of(api.PyCFunction_NewEx))(_definition(target), words, None)
    return launch


def address_of(function: Any) -> int:
    """Where a function of a library lies."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


_definitions: dict[Target, Any] = {}  # builtins refer to them as long as the process lives


def _definition(target: Target) -> Any:
    """The builtin's definition."""
    if target not in _definitions:
        head = object.__basicsize__
        key = cache.make_key("launch", target.cpu, target.features, cache.compiler_version(), str(head))
        (code,) = engine.functions_for([(key, lambda: launch_text(target, f"k_{key}", head))], target)
        # Of two threads that come here at once, one makes the definition that both use.
        _definitions.setdefault(target, ctypes.pointer(_Definition(b"launch", code, _ONE_ARGUMENT, None)))
    return _definitions[target]


def launch_text(target: Target, name: str, head: int) -> str:
    """``NAME(self, array)``, where the head of any object has so many bytes, the last eight its type's address.

    Behind the head of an array stand: data, rank (int), shape, strides, base, dtype, flags (int; 1 is C order).
    """

    def read(register: str, base: str, place: int, kind: str = "i64") -> str:
        """Load what stands so many bytes behind an address."""
        at = f"{register}.at = getelementptr i8, ptr {base}, i64 {place}"
        return f"  {at}\n  {register} = load {kind}, ptr {register}.at, align 4\n"

    def word(register: str, number: int, kind: str = "i64") -> str:
        return read(register, "%words", 8 * number, kind)

    arguments = [f"%a{place}" for place in range(_ARGUMENTS)]
    return f"""target triple = "{target.triple}"
define ptr @{name}(ptr %self, ptr %array) {{
entry:
{read("%words", "%self", head, "ptr")}\
  %status = call i64 @{name}.run(ptr %words, ptr %array)
{word("%make", Word.MAKE, "ptr")}\
  %result = call ptr %make(i64 %status)
  ret ptr %result
}}

define internal i64 @{name}.run(ptr %words, ptr %array) noinline {{
entry:
{read("%type", "%array", head - 8)}{word("%wanted.type", Word.TYPE)}\
  %is.array = icmp eq i64 %type, %wanted.type
  br i1 %is.array, label %kind, label %refuse
kind:
{read("%dtype", "%array", head + 40)}{word("%wanted.dtype", Word.DTYPE)}\
{read("%rank", "%array", head + 8, "i32")}{word("%wanted.rank", Word.RANK, "i32")}\
{read("%flags", "%array", head + 48, "i32")}\
  %is.dtype = icmp eq i64 %dtype, %wanted.dtype
  %is.rank = icmp eq i32 %rank, %wanted.rank
  %is.ordered = trunc i32 %flags to i1
  %is.both = and i1 %is.dtype, %is.rank
  %is.kind = and i1 %is.both, %is.ordered
  br i1 %is.kind, label %shapes, label %refuse
shapes:
{read("%shape", "%array", head + 16, "ptr")}{word("%wanted.shape", Word.SHAPE, "ptr")}\
  br label %sizes
sizes:
  %dim = phi i32 [ 0, %shapes ], [ %dim.next, %size ]
  %more = icmp slt i32 %dim, %rank
  br i1 %more, label %size, label %ready
size:
  %size.at = getelementptr i64, ptr %shape, i32 %dim
  %wanted.size.at = getelementptr i64, ptr %wanted.shape, i32 %dim
  %size.here = load i64, ptr %size.at, align 8
  %wanted.size = load i64, ptr %wanted.size.at, align 8
  %dim.next = add i32 %dim, 1
  %is.size = icmp eq i64 %size.here, %wanted.size
  br i1 %is.size, label %sizes, label %refuse
ready:
{word("%calls", Word.CALLS, "ptr")}{word("%gate", Word.GATE, "ptr")}{word("%least", Word.LEAST)}\
  %left = load i64, ptr %calls, align 8
  %height = load i64, ptr %gate, align 8
  %some = icmp sgt i64 %left, 0
  %open = icmp sge i64 %height, %least
  %may = and i1 %some, %open
  br i1 %may, label %call, label %refuse
call:
  %rest = sub i64 %left, 1
  store i64 %rest, ptr %calls, align 8
{read("%data", "%array", head, "ptr")}{word("%into", Word.INTO, "ptr")}{word("%bytes", Word.BYTES)}\
{word("%move", Word.MOVE, "ptr")}\
  %moved = call ptr %move(ptr %into, ptr %data, i64 %bytes)
{word("%counter", Word.COUNTER, "ptr")}\
  store i64 0, ptr %counter, align 8
{word("%function", Word.FUNCTION, "ptr")}\
{"".join(word(argument, Word.WORDS + place) for place, argument in enumerate(arguments))}\
  call void %function({", ".join(f"i64 {argument}" for argument in arguments)})
{word("%written", Word.STATUS, "ptr")}\
  %status = load i32, ptr %written, align 4
  %result = sext i32 %status to i64
  ret i64 %result
refuse:
  ret i64 -1
}}
"""
