"""Routes about what stands beside repositories: collections and discussions."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.responses import JSONResponse, Response

from medimg.hub_sync.hub.calls import Call, Routes
from medimg.hub_sync.hub.objects import now
from medimg.hub_sync.hub.parsing import text, truth, whole
from medimg.hub_sync.hub.refusals import HubRefusal, Json, check_name


class Collections(Routes):
    """Handlers of the routes about collections."""

    def listing(self, call: Call) -> Response:
        """List collections by owner and item."""
        query, found = call.request.query_params, []
        for collection in self.store.collections():
            collection["items"] = self.desk.items(call, collection)
            names = {f"{item['type']}s/{item['id']}" for item in collection["items"]}
            if query.get("owner", collection["owner"]) != collection["owner"]:
                continue
            if query.get("item", next(iter(names), None)) in names | {None} and self.desk.sees(call, collection):
                found.append({key: value for key, value in collection.items() if key != "position"})
        return JSONResponse(found)

    def create(self, call: Call) -> Response:
        """Create a collection; 409 with its slug where there is one with this title."""
        body = call.json()
        title, owner = text(body, "title").strip(), text(body, "namespace") or self.desk.user
        check_name(owner)
        if not title:
            raise HubRefusal(400, "A collection needs a title.")
        words = "-".join(re.findall(r"[a-z0-9]+", title.lower()))[:60].strip("-") or "collection"
        slug = f"{owner}/{words}-{hashlib.sha1(f'{owner}/{title}'.encode()).hexdigest()[:24]}"
        with self.store.locked("collections"):
            if any(collection["slug"] == slug for collection in self.store.collections()):
                raise HubRefusal(409, f"There is a collection with this title already: {slug}", extra={"slug": slug})
            made: Json = {
                "slug": slug,
                "title": title,
                "description": text(body, "description") or None,
                "owner": owner,
                "items": [],
                "position": 0,
                "private": truth(body, "private") is True,
                "theme": "blue",
                "upvotes": 0,
            }
            return JSONResponse(self.store.save_collection(made))

    def get(self, call: Call) -> Response:
        """Give a collection."""
        return JSONResponse(self.shown(call))

    def update(self, call: Call) -> Response:
        """Change title, description, position, visibility or theme."""
        with self.store.locked("collections"):
            collection, body = self.collection(call), call.json()
            collection |= _metadata(body)
            return JSONResponse({"data": self.store.save_collection(collection)})

    def delete(self, call: Call) -> Response:
        """Delete a collection."""
        self.store.delete_collection(_slug(call))
        return Response()

    def add_item(self, call: Call) -> Response:
        """Add a repository to a collection; 409 where it is in there."""
        body = call.json()
        asked = body.get("item")
        asked = asked if isinstance(asked, dict) else {}
        kind, id = text(asked, "type"), text(asked, "id")
        self.desk.find(call, kind, id)
        with self.store.locked("collections"):
            collection = self.collection(call)
            items = collection["items"]
            if any((item["type"], item["id"]) == (kind, id) for item in items):
                raise HubRefusal(409, f"The collection has {id} already.")
            item = {"_id": secrets.token_hex(12), "id": id, "type": kind, "position": len(items)}
            items.append({**item, **_note(body)})
            return JSONResponse(self.store.save_collection(collection))

    def update_item(self, call: Call) -> Response:
        """Change an item's note or place."""
        with self._item(call) as (items, item):
            body = call.json()
            item.update(_note(body))
            if "position" in body:
                items.remove(item)
                items.insert(whole(body["position"]), item)
        return Response()

    def delete_item(self, call: Call) -> Response:
        """Take an item out of a collection."""
        with self._item(call) as (items, item):
            items.remove(item)
        return Response()

    @contextmanager
    def _item(self, call: Call) -> Iterator[tuple[list[Json], Json]]:
        with self.store.locked("collections"):
            collection = self.collection(call)
            items: list[Json] = collection["items"]
            item = next((item for item in items if item["_id"] == call.args["item"]), None)
            if item is None:
                raise HubRefusal(404, "The collection has no such item.")
            yield items, item
            for position, kept in enumerate(items):
                kept["position"] = position
            self.store.save_collection(collection)

    def shown(self, call: Call) -> Json:
        """Return the collection that the path names, with the items that the request may see."""
        collection = self.collection(call)
        return {**collection, "items": self.desk.items(call, collection)}

    def collection(self, call: Call) -> Json:
        """Return the collection that the path names, if the request may see it."""
        collection = self.store.collection(_slug(call))
        if not self.desk.sees(call, collection):
            raise HubRefusal(404, f"Collection not found: {_slug(call)}")
        return collection


class Discussions(Routes):
    """Handlers of the routes about discussions. There are no pull requests."""

    def listing(self, call: Call) -> Response:
        """List discussions."""
        found = self.desk.repository(call).discussions()
        return JSONResponse({"discussions": found, "count": len(found), "start": 0})

    def create(self, call: Call) -> Response:
        """Open a discussion."""
        repository, body = self.desk.repository(call), call.json()
        if truth(body, "pullRequest"):
            raise HubRefusal(400, "The embedded Hub has no pull requests: commit to a branch.")
        title = _title(body)
        with self.store.locked(repository.lock):
            discussion = {
                "num": max((int(known["num"]) for known in repository.discussions()), default=0) + 1,
                "title": title,
                "author": {"name": self.desk.user},
                "createdAt": now(),
                "status": "open",
                "isPullRequest": False,
                "repo": {"name": repository.id, "type": repository.type},
                "events": [self._comment(text(body, "description"))],
            }
            repository.save_discussion(discussion)
        return JSONResponse(discussion)

    def get(self, call: Call) -> Response:
        """Give a discussion with its comments."""
        return JSONResponse(self.desk.repository(call).discussion(whole(call.args["number"])))

    def comment(self, call: Call) -> Response:
        """Add a comment."""
        said = text(call.json(), "comment").strip()
        if not said:
            raise HubRefusal(400, "The comment is empty.")
        with self._changing(call) as discussion:
            made = self._comment(said)
            discussion["events"].append(made)
        return JSONResponse({"newMessage": made})

    def rename(self, call: Call) -> Response:
        """Change the title."""
        title = _title(call.json())
        with self._changing(call) as discussion:
            made = self._event("title-change", {"from": discussion["title"], "to": title})
            discussion["title"] = title
            discussion["events"].append(made)
        return JSONResponse({"newTitle": made})

    def status(self, call: Call) -> Response:
        """Close or open, with a comment where there is one."""
        body = call.json()
        if body.get("status") not in ("open", "closed"):
            raise HubRefusal(400, "The status is open or closed.")
        said = text(body, "comment").strip()
        with self._changing(call) as discussion:
            made = self._event("status-change", {"status": body["status"]})
            discussion["status"] = body["status"]
            discussion["events"] += [made, *([self._comment(said)] if said else [])]
        return JSONResponse({"newStatus": made})

    @contextmanager
    def _changing(self, call: Call) -> Iterator[Json]:
        repository = self.desk.repository(call)
        with self.store.locked(repository.lock):
            discussion = repository.discussion(whole(call.args["number"]))
            yield discussion
            repository.save_discussion(discussion)

    def _comment(self, said: str) -> Json:
        return self._event("comment", {"edited": False, "hidden": False, "latest": {"raw": said}})

    def _event(self, kind: str, data: Json) -> Json:
        made = {"id": secrets.token_hex(12), "type": kind, "createdAt": now(), "data": data}
        return {**made, "author": {"name": self.desk.user}}


def _title(body: Json) -> str:
    title = text(body, "title").strip()
    if not 3 <= len(title) <= 200:
        raise HubRefusal(400, "A title has 3 to 200 characters.")
    return title


def _slug(call: Call) -> str:
    return f"{call.args['ns']}/{call.args['slug']}"


def _note(body: Json) -> Json:
    return {"note": {"text": text(body, "note")[:500]}} if body.get("note") is not None else {}


def _metadata(body: Json) -> Json:
    changes: Json = {key: text(body, key) for key in ("title", "description", "theme") if key in body}
    if not changes.get("title", "x").strip():
        raise HubRefusal(400, "A collection needs a title.")
    if "position" in body:
        changes["position"] = whole(body["position"])
    if "private" in body:
        changes["private"] = truth(body, "private") is True
    return changes
