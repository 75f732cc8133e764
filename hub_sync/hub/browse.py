"""Routes of the pages that people look at."""

from __future__ import annotations

from itertools import islice

from starlette.responses import HTMLResponse, RedirectResponse, Response

from medimg.hub_sync.hub import pages
from medimg.hub_sync.hub.calls import Call, Desk, Routes
from medimg.hub_sync.hub.community import Collections
from medimg.hub_sync.hub.repository import MAIN, Repository
from medimg.hub_sync.hub.store import REPO_TYPES

_VIEW_BYTES = 512 << 10
_MOST_COMMITS = 200


class Pages(Routes):
    """Handlers of these routes."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._collections = Collections(desk)

    def front(self, call: Call) -> Response:
        """Lead to the portal, where one is published; else show what there is."""
        if "q" not in call.request.query_params:
            for repository, commit in self.desk.shown(call, self.store.repositories("space")):
                portal = pages.PORTAL in pages.card(repository, commit).tags
                if portal and pages.is_static(repository, commit) and not repository.settings()["private"]:
                    return RedirectResponse(pages.static_url(repository), 307)
        return self.index(call)

    def index(self, call: Call) -> Response:
        """Show all repositories that the request may see, with the numbers that their cards give."""
        query = call.request.query_params.get("q", "")
        rows = [
            {
                "repository": repository,
                "url": repository.url,
                "card": pages.card(repository, commit),
                "commit": commit,
                "size": commit.size,
            }
            for kind in REPO_TYPES
            for repository, commit in self.desk.shown(call, self.store.repositories(kind))
            if query.lower() in repository.id.lower()
        ]
        collections = [known for known in self.store.collections() if not known["private"]]
        listed = [{**known, "items": self.desk.items(call, known)} for known in collections]
        return pages.page("index.html", rows=rows, query=query, collections=listed)

    def card(self, call: Call) -> Response:
        """Show a repository's card."""
        repository, commit = self.desk.at(call)
        read, url = pages.card(repository, commit), repository.url
        return self._page(
            "card.html",
            call,
            repository,
            card=read,
            html=pages.render_markdown(read.text, links=f"{url}/blob/main", images=f"{url}/resolve/main"),
            commit=commit,
            size=commit.size,
            loadable=not read.without_data and any(map(_may_hold_rows, commit.files)),
            static=pages.static_url(repository) if pages.is_static(repository, commit) else None,
        )

    def tree(self, call: Call) -> Response:
        """List the files of a folder."""
        repository, commit = self.desk.at(call)
        folder = call.args.get("path", "").strip("/")
        entries = sorted(commit.listing(folder), key=lambda entry: (entry.file is not None, entry.path))
        return self._page("tree.html", call, repository, commit=commit, folder=folder, entries=entries)

    def file(self, call: Call) -> Response:
        """Show a text file, or offer any other for download."""
        path, repository = call.args["path"], self.desk.repository(call)
        self.desk.gate(call, repository)
        commit = repository.commit(call.args["rev"])
        file, text = repository.file(commit, path), None
        if file.size <= _VIEW_BYTES:
            data = repository.store.read(file, path)
            text = None if b"\0" in data else data.decode("utf-8", "replace")
        return self._page("blob.html", call, repository, commit=commit, path=path, file=file, text=text)

    def commits(self, call: Call) -> Response:
        """List the last commits."""
        repository, commit = self.desk.at(call)
        history = list(islice(repository.history(commit), _MOST_COMMITS))
        return self._page("commits.html", call, repository, commits=history)

    def collection(self, call: Call) -> Response:
        """List the items of a collection."""
        return pages.page("collection.html", collection=self._collections.shown(call))

    def _page(self, template: str, call: Call, repository: Repository, **values: object) -> HTMLResponse:
        """A page about a repository."""
        return pages.page(
            template,
            repository=repository,
            settings=repository.settings(),
            url=repository.url,
            revision=call.args.get("rev", MAIN),
            base=self.desk.base(call),
            branches=list(repository.refs("heads")),
            tags=list(repository.refs("tags")),
            **values,
        )


def _may_hold_rows(path: str) -> bool:
    """Whether `load_dataset` looks at a file: not at the card, and not at what is hidden."""
    return path != "README.md" and not any(part.startswith(".") for part in path.split("/"))
