"""Messages over a socket: pickled, with large buffers beside the pickle, copied into the socket and out of it.

Both ends are of one run of one installation; nobody else can write to the socket.
"""

from __future__ import annotations

import pickle
import socket
import struct
import traceback
from typing import Any

import numpy as np


def send(connection: socket.socket, message: object) -> None:
    """Send one message. Raises OSError where nobody is there any more."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    parts = [memoryview(head), *(buffer.raw() for buffer in buffers)]
    connection.sendall(struct.pack(f"<{len(parts) + 1}Q", len(buffers), *map(len, parts)))
    for part in parts:
        connection.sendall(part)


def receive(connection: socket.socket) -> Any:
    """The next message. Raises EOFError where the other end is gone."""
    (count,) = struct.unpack("<Q", _read(connection, 8))
    sizes = struct.unpack(f"<{count + 1}Q", _read(connection, 8 * (count + 1)))
    head, *buffers = [_read(connection, size) for size in sizes]
    return pickle.loads(head, buffers=buffers)


def plain(error: Exception) -> Exception:
    """An error that can cross over, with where it was raised."""
    try:
        found: Exception = pickle.loads(pickle.dumps(error))
    except Exception:  # a library's error may refuse in any way
        found = RuntimeError(f"{type(error).__name__}: {error}")
    found.add_note("".join(traceback.format_exception(error)))
    return found


def _read(connection: socket.socket, size: int) -> memoryview:
    found = np.empty(size, np.uint8).data  # not zeroed, as a bytearray would be
    done = 0
    while done < size:
        part = connection.recv_into(found[done:], 0, socket.MSG_WAITALL)
        if not part:
            raise EOFError
        done += part
    return found
