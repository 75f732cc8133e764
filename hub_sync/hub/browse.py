"""Routes of the pages that people look at."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from medimg.hub_sync.hub import pages
from medimg.hub_sync.hub.calls import Call, Desk, Routes
from medimg.hub_sync.hub.community import Collections
from medimg.hub_sync.hub.store import REPO_TYPES


class Pages(Routes):
    """Handlers of these routes."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._collections = Collections(desk)

    def front(self, call: Call) -> Response:
        """Lead to the portal, where one is published; else show what there is."""
        if "q" not in call.request.query_params:
            for repository, commit in self.desk.shown(call, "space"):
                portal = pages.PORTAL in pages.card(repository, commit).tags
                if portal and pages.is_static(repository, commit) and not repository.settings()["private"]:
                    return RedirectResponse(pages.static_url(repository), 307)
        return self.index(call)

    def index(self, call: Call) -> Response:
        """Show all repositories that the request may see."""
        seen = [found for kind in REPO_TYPES for found in self.desk.shown(call, kind)]
        collections = [known for known in self.store.collections() if not known["private"]]
        listed = [{**known, "items": self.desk.items(call, known)} for known in collections]
        return pages.index(seen, listed, call.request.query_params.get("q", ""))

    def card(self, call: Call) -> Response:
        """Show a card."""
        return pages.show_card(self.desk.repository(call), self.desk.base(call))

    def tree(self, call: Call) -> Response:
        """Show a folder."""
        folder = call.args.get("path", "").strip("/")
        return pages.show_tree(self.desk.repository(call), call.args["rev"], folder, self.desk.base(call))

    def file(self, call: Call) -> Response:
        """Show a file."""
        repository = self.desk.repository(call)
        self.desk.gate(call, repository)
        return pages.show_file(repository, call.args["rev"], call.args["path"], self.desk.base(call))

    def commits(self, call: Call) -> Response:
        """Show the commits."""
        return pages.show_commits(self.desk.repository(call), call.args["rev"], self.desk.base(call))

    def collection(self, call: Call) -> Response:
        """Show a collection."""
        return pages.show_collection(self._collections.shown(call))
