"""The embedded Hub: a small server that unmodified `huggingface_hub` and `datasets` clients can use.

It is meant for this machine and for closed networks: `with EmbeddedHub(folder) as hub:` serves a folder at
`hub.url`, and `serve` does so until Ctrl-C. See `store` for what is on disk and `app` for the protocol.
"""

from medimg.hub_sync.hub.serve import EmbeddedHub, serve
from medimg.hub_sync.hub.store import HubRefusal, Limits, Store

__all__ = ["EmbeddedHub", "HubRefusal", "Limits", "Store", "serve"]
