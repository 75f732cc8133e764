"""The peers but torch-em, a module each."""

from __future__ import annotations

import amid_peer
import medmnist_peer
import monai_peer
import nnunet_peer
import small_peers
import xrv_peer

MODULES = (amid_peer, medmnist_peer, monai_peer, nnunet_peer, small_peers, xrv_peer)
CHECKS = [check for module in MODULES for check in module.CHECKS]
