"""The embedded Hub: a small server that unmodified `huggingface_hub` and `datasets` clients can use.

It is meant for this machine and for closed networks: `with EmbeddedHub(folder) as hub:` serves a folder at
`hub.url`, and `serve` does so until Ctrl-C. See `store` for what is on disk, `app` for the addresses, and
`repositories`, `files`, `lfs`, `community` and `browse` for what they do; all of them stand on `calls`.
"""

from medimg.errors import need

need("hub", "the embedded Hub", "starlette", "uvicorn", "jinja2", "markupsafe", "markdown_it")

from medimg.hub_sync.hub.limits import HubLimits  # noqa: E402
from medimg.hub_sync.hub.refusals import HubRefusal  # noqa: E402
from medimg.hub_sync.hub.serve import EmbeddedHub, serve  # noqa: E402
from medimg.hub_sync.hub.store import Store  # noqa: E402

__all__ = ["EmbeddedHub", "HubLimits", "HubRefusal", "Store", "serve"]
