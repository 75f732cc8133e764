"""SNOW: MATLAB files for the miniature."""


def mat(name, rows):
    """The bytes of a MATLAB 5 file that holds one matrix of whole numbers below 256 (int32, as the source's)."""
    values = b"".join(row[x].to_bytes(4, "little") for x in range(len(rows[0])) for row in rows)
    parts = (
        (6, b"\x0c\0\0\0\0\0\0\0"),  # flags: an int32 matrix
        (5, len(rows).to_bytes(4, "little") + len(rows[0]).to_bytes(4, "little")),
        (1, name.encode()),
        (5, values),
    )
    body = b"".join(_element(kind, data) for kind, data in parts)
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\x01IM" + _element(14, body)


def _element(kind, data):
    return kind.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data + b"\0" * (-len(data) % 8)


def nuclei(height, width, count):
    """A picture of `count` square nuclei in a row."""
    side = width // count
    return [
        [
            (x // side + 1) * (1 < x % side < side - 1 and 2 < y < height - 3 and x // side < count)
            for x in range(width)
        ]
        for y in range(height)
    ]
