"""Routes about large files: upload addresses with a signature, parts, and copies between repositories."""

from __future__ import annotations

import hmac
import time
from math import ceil
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from medimg.hub_sync.hub.calls import Call, Routes
from medimg.hub_sync.hub.objects import Incoming
from medimg.hub_sync.hub.parsing import objects, text, texts, truth, whole
from medimg.hub_sync.hub.refusals import HubRefusal, Json, check_sha256

_LINK_SECONDS = 24 * 3600
_CHUNK = 1 << 20


class LargeFiles(Routes):
    """Handlers of these routes."""

    def batch(self, call: Call) -> Response:
        """Tell where to upload each object that the store does not have."""
        self.desk.repository(call)
        body = call.json()
        if body.get("operation") != "upload":
            raise HubRefusal(400, "Only uploads are supported here; files are read at their resolve address.")
        base, limits, answers = self.desk.base(call), self.store.limits, []
        for asked in objects(body.get("objects")):
            oid, size = check_sha256(asked.get("oid")), whole(asked.get("size"))
            answer: Json = {"oid": oid, "size": size}
            if size > limits.object:
                answer["error"] = {"code": 422, "message": f"Files are limited to {limits.object} bytes."}
            elif self.store.wanted(oid) != size:
                verify = {"href": f"{base}/lfs/verify"}
                upload: Json = {"href": self._signed(base, "object", oid, size)}
                if size > limits.multipart_above and "multipart" in texts(body.get("transfers", [])):
                    numbers = range(1, ceil(size / limits.part) + 1)
                    parts = {str(number): self._signed(base, f"part-{number}", oid, size) for number in numbers}
                    header = {"chunk_size": str(limits.part), **parts}
                    upload = {"href": self._signed(base, "join", oid, size), "header": header}
                answer["actions"] = {"upload": upload, "verify": verify}
            answers.append(answer)
        return JSONResponse({"transfer": "basic", "objects": answers}, media_type="application/vnd.git-lfs+json")

    def _signed(self, base: str, action: str, oid: str, size: int) -> str:
        until = int(time.time()) + _LINK_SECONDS
        query = {
            "size": size,
            "until": until,
            "signature": self._signature(action, oid, str(size), str(until)),
        }
        return f"{base}/lfs/{action}/{oid}?{urlencode(query)}"

    def _signature(self, *parts: str) -> str:
        return hmac.new(self.store.secret(), ":".join(parts).encode(), "sha256").hexdigest()

    def _upload(self, call: Call, action: str) -> tuple[str, int]:
        oid, query = call.args["oid"], call.request.query_params
        size, until, given = query.get("size", ""), query.get("until", ""), query.get("signature", "")
        if not hmac.compare_digest(given.encode(), self._signature(action, oid, size, until).encode()):
            raise HubRefusal(403, "The upload address is not valid.")
        if whole(until) < time.time():
            raise HubRefusal(403, "The upload address has expired: ask for a new one.")
        return oid, whole(size)

    async def put_object(self, call: Call) -> Response:
        """Take one object; keep it only if it is the announced one."""
        oid, size = self._upload(call, "object")
        with self.store.incoming(size) as file:
            await _receive(call.request, file)
            await run_in_threadpool(file.keep_object, oid, size)
        return Response()

    async def put_part(self, call: Call) -> Response:
        """Take one part of an object."""
        number = whole(call.args["number"])
        oid, size = self._upload(call, f"part-{number}")
        full = self.store.limits.part
        expected = min(full, size - (number - 1) * full)
        with self.store.incoming(expected) as file:
            await _receive(call.request, file)
            if file.size != expected:
                raise HubRefusal(400, f"Part {number} has {file.size} bytes, not {expected}.")
            tag = await run_in_threadpool(self.store.keep_part, oid, size, number, file)
        return Response(headers={"ETag": f'"{tag}"'})

    def join_parts(self, call: Call) -> Response:
        """Make an object of its parts."""
        oid, size = self._upload(call, "join")
        parts = sorted(objects(call.json().get("parts")), key=lambda part: whole(part.get("partNumber")))
        self.store.join_parts(oid, size, [text(part, "etag").strip('"') for part in parts])
        return Response()

    def verify(self, call: Call) -> Response:
        """Confirm that the store has an object."""
        body = call.json()
        self.store.lfs_file(check_sha256(body.get("oid")), whole(body.get("size")))
        return Response()

    def duplicate(self, call: Call) -> Response:
        """Let another repository have files of this one: objects are shared, so only look."""
        repository = self.desk.repository(call)
        self.desk.gate(call, repository)
        body = call.json()
        target = body.get("target")
        target = target if isinstance(target, dict) else {}
        self.desk.find(call, text(target, "type"), text(target, "name"))
        failed = []
        for file in objects(body.get("files")):
            oid = file.get("sha256")
            if self.store.wanted(check_sha256(oid)) is None:
                failed.append({"sha256": oid, "error": "This file does not exist."})
        return JSONResponse({"failed": failed})

    def listing(self, call: Call) -> Response:
        """List what the repository holds through LFS, in whichever revision, deleted files apart."""
        found = sorted(self.desk.repository(call).large_files().items())
        return self.desk.paged(
            call,
            [
                {
                    "fileOid": oid,
                    "filename": about["path"],
                    "oid": oid,
                    "pushedAt": about["time"],
                    "ref": None,
                    "size": about["size"],
                }
                for oid, about in found
            ],
            1000,
        )

    def delete(self, call: Call) -> Response:
        """Delete large files for good: from this repository, and from the store where no other one holds them."""
        asked = call.json().get("deletions")
        if not isinstance(asked, dict) or not isinstance(shas := asked.get("sha"), list):
            raise HubRefusal(400, "deletions.sha must be a list of sha256.")
        digests = [check_sha256(each) for each in shas]
        rewrite = truth(asked, "rewriteHistory") is not False
        self.desk.repository(call).delete_large(digests, rewrite=rewrite)
        self.store.drop(digests)
        return JSONResponse({})


async def _receive(request: Request, file: Incoming) -> None:
    waiting = bytearray()
    async for chunk in request.stream():
        waiting += chunk
        if len(waiting) >= _CHUNK:
            await run_in_threadpool(file.write, bytes(waiting))
            waiting.clear()
    await run_in_threadpool(file.write, bytes(waiting))
