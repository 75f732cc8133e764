"""Pickles of plain values, read without running anything.

A pickle is a program: its instructions may name any function and call it. Here the instructions are read first,
and only those that build None, booleans, numbers, text, bytes, lists, tuples, dicts and sets are let through.
Whatever names, calls or restores an object is refused before anything is built.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any, NoReturn

from medimg.errors import FormatError, PickleError
from medimg.files import File
from medimg.readers.promises import damaged, naming

MAX_BYTES = 256 << 20
"""A larger pickle is not read."""
_PLAIN = frozenset(
    "PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE "
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT "
    "STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 "
    "UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 "
    "EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 "
    "EMPTY_DICT DICT SETITEM SETITEMS EMPTY_SET ADDITEMS FROZENSET "
    "PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET".split()
)
"""Instructions that build plain values. Missing are all that look up, call or restore (GLOBAL, REDUCE, BUILD, …)."""


class _Plain(pickle.Unpickler):
    """The second lock: even an instruction that slipped through finds nothing to call."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise _refused(f"it names {module}.{name}")

    def persistent_load(self, pid: object) -> NoReturn:
        raise _refused("it refers to objects outside the file")


def _refused(why: str) -> PickleError:
    return PickleError(
        f"a pickle that is no plain data: {why}. It was not loaded.",
        next_step="get the original file; a pickle that runs code is an attack or a mistake",
    )


def value(file: File) -> Any:
    """The value in a pickle file: lists, tuples, dicts, sets, text, bytes, numbers, booleans and None.

    Text of Python 2 (protocol 0 to 2) is read as UTF-8.

    Raises:
        PickleError: the file holds anything else; nothing was run.
        FormatError: no pickle, or a damaged one.
        BombError: more than `MAX_BYTES`.
    """
    with naming(file.path):
        return loads(file.read(MAX_BYTES))


def loads(data: bytes) -> Any:
    """As `value`, from bytes."""
    with damaged("no pickle, or a damaged one"):
        for instruction, argument, _ in pickletools.genops(data):
            if instruction.name not in _PLAIN:
                raise _refused(f"instruction {instruction.name}")
            if instruction.name.endswith("PUT") and int(argument or 0) > len(data):
                # The memo is an array: a place far out would reserve all memory.
                raise FormatError("a damaged pickle (a place in its memo that cannot be)")
        # Anything behind STOP was not looked at above, and is not read by the unpickler either.
        return _Plain(io.BytesIO(data), encoding="utf-8").load()


def dumps(plain: Any) -> bytes:
    """A pickle of plain values, for miniatures."""
    data = pickle.dumps(plain, protocol=4)
    loads(data)
    return data
