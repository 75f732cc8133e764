"""The source of one dataset in one run: opened when its files are first wanted, once, and kept open."""

from __future__ import annotations

import contextlib
import functools

from medimg.errors import SourceError
from medimg.files import Files
from medimg.hub_sync.scratch import scratch
from medimg.loading import OFFICIAL, limits_of, locate_source, open_source
from medimg.manifest import Origin
from medimg.phantom import Phantom
from medimg.registry import Builder


class DatasetSource(contextlib.ExitStack):
    """To be used with `with`.

    Args:
        root: folder or URL with the originals of many datasets, "official", or None for the miniature.
    """

    def __init__(self, builder: Builder, root: str | None) -> None:
        super().__init__()
        self.root = root
        self.origin: Origin = "miniature" if root is None else "official" if root == OFFICIAL else "source"
        self._builder = builder
        self._files: Files | None = None

    @functools.cached_property
    def _place(self) -> str | None:
        return locate_source(str(self.root), self._builder.name) if self.origin == "source" else self.root

    @property
    def there(self) -> bool:
        """Whether the root has something that is called like the dataset."""
        return self.origin == "miniature" or self._place is not None

    def files(self) -> Files:
        """The view; a miniature is written to a temporary folder first.

        Raises:
            SourceRequiredError: no declared address can be fetched.
            SourceError: it is not readable.
        """
        if self._files is None:
            if self.origin == "miniature":
                folder = self.enter_context(scratch(f"miniature-{self._builder.name}")).path
                self._builder.miniature(Phantom(folder))
                files = Files.open(str(folder), dataset=self._builder.name, limits=limits_of(self._builder.dataset))
            else:
                assert self._place is not None
                files = open_source(self._builder, self._place)
            self._files = self.enter_context(files)
        return self._files

    def check_unchanged(self, fingerprint: str) -> None:
        """Refuse what changed while it was read.

        Args:
            fingerprint: of the files, as they were when they were opened.

        Raises:
            SourceError: it did.
        """
        if self.origin != "miniature" and self.files().changed_since(fingerprint):
            raise SourceError(
                "the source changed while it was read; nothing was published",
                dataset=self._builder.name,
                next_step="Run sync again when nobody writes to it.",
            )
