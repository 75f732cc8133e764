"""The catalogue: every medical imaging dataset that is known here, loadable or not, in one vocabulary.

`entries()` is the one table that search, the portal and the cards' links read. It joins what the builders declare with
what stands in `listed.jsonl`: the collections of the Imaging Data Commons and datasets that public lists name.
"""

from medimg.catalogue.entry import Entry, OverlapEdge, Stated
from medimg.catalogue.table import called, entries, get

__all__ = ["Entry", "OverlapEdge", "Stated", "called", "entries", "get"]
