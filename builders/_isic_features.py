"""The ISIC challenges of 2016 and 2017: dermoscopic features that are answered for each superpixel."""

from medimg.errors import FormatError
from medimg.readers import superpixels, tables

AGAIN = "Take the file of the original download."


def legend(names):
    """Label value -> features, one bit for each, as several may meet in a place."""
    return {value: tuple(name for n, name in enumerate(names) if value >> n & 1) for value in range(1, 1 << len(names))}


def answered(file, keys):
    """The lists of a JSON file: one number for each superpixel and key.

    Raises:
        FormatError: a list is missing, or holds something else.
    """
    value = tables.json_value(file)
    for key in keys:
        numbers = value.get(key) if isinstance(value, dict) else None
        if not isinstance(numbers, list) or not all(isinstance(one, int | float) for one in numbers):
            raise FormatError(f"has no list of numbers {key!r}", file=file.path, next_step=AGAIN)
    return {key: [number >= 0.5 for number in value[key]] for key in keys}


def mask(picture, answers):
    """A label map from the picture of superpixels, whose colors count them: red + 256 green + 65536 blue."""
    values = [sum(1 << n for n, here in enumerate(tile) if here) for tile in zip(*answers.values(), strict=True)]
    return superpixels.mask(picture, values)


def source(answers):
    """The answers in short: how many superpixels there are, and the numbers of those that show a feature."""
    found = {key: [k for k, here in enumerate(tiles) if here] for key, tiles in answers.items()}
    return {"superpixels": len(next(iter(answers.values()))), **found}


def written(count, **positive):
    """A miniature's answers: `count` superpixels, 1 for the numbers given."""
    return {key: [int(k in numbers) for k in range(count)] for key, numbers in positive.items()}


COLORS = {0: (0, 0, 0), 1: (1, 0, 0), 2: (2, 0, 0), 3: (2, 1, 0)}
"""Superpixels of a miniature: 0, 1, 2 and 258."""
