"""The Imaging Data Commons: any public collection as `idc/<collection>`, or narrowed down, `idc/nlst?modality=CT`.

The module `index` says which series there are, `collection` declares them and yields rows of `series`, `phantom` draws
their miniatures, `files` streams them from the buckets, `listing` is what the catalogue says of them.
"""

import functools

from medimg.builders.idc import index
from medimg.builders.idc.collection import CommonsCollection
from medimg.builders.idc.index import holdings, version

__all__ = ["find", "holdings", "listed", "version"]


def find(name):
    """The collection of "nlst", "nlst?modality=CT", or of the slug "nlst-modality-ct".

    Raises:
        UnknownDatasetError: no such collection, or a filter that there is not.
        MissingExtraError: the index is not installed.
    """
    return _of(index.parse(name))


@functools.lru_cache(maxsize=64)
def _of(selection):
    return CommonsCollection(selection)


def listed():
    """What the catalogue says of each collection."""
    from medimg.builders.idc import listing

    return listing.listed()
