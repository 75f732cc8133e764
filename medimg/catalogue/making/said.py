"""What one row of a list says of a dataset."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from medimg.catalogue.making.cells import Cell, plain

_QUALIFIER = re.compile(r"\s*\((?:duplicate|subset|seg|wsi|avr|task|instseg)[^()]*\)\s*$", re.IGNORECASE)
_COPIES = frozenset({"kaggle.com", "heywhale.com", "tianchi.aliyun.com", "aistudio.baidu.com", "opendatalab.org.cn"})
_SHARED = frozenset(
    "github.com zenodo.org doi.org kaggle.com figshare.com synapse.org openneuro.org physionet.org nitrc.org "
    "wiki.cancerimagingarchive.net cancerimagingarchive.net tianchi.aliyun.com heywhale.com data.mendeley.com "
    "opendatalab.org.cn aistudio.baidu.com dataverse.harvard.edu huggingface.co drive.google.com arxiv.org "
    "nature.com ieee-dataport.org sites.google.com competitions.codalab.org aicrowd.com ida.loni.usc.edu".split()
)
"""Hosts of many datasets: an address there is a dataset's own only with its path."""


@dataclass
class Said:
    """One row.

    Attributes:
        by: the list.
        row: counted from 1, without the header.
        name: of the dataset, as the list writes it.
        links: addresses.
        cells: column -> what it says; columns are those of the catalogue.
        aliases: other names in the same row.
        same_as: id of the entry that the row is part of, where the list itself says so.
        broken: why the row says of no dataset of images anything; None for a good row.
        repaired: what was wrong with the row and how it was read.
        raw: what the cells that make two rows the same hold.
        notes: facts that no column has (where a caution holds, a hash is known).
    """

    by: str
    row: int
    name: str
    links: tuple[str, ...] = ()
    cells: dict[str, Cell] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    same_as: str | None = None
    broken: str | None = None
    repaired: str | None = None
    raw: tuple[Any, ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What two spellings of one name have in common."""
        return key(self.name)


def key(name: str) -> str:
    """A name without case, punctuation and remarks such as "(Duplicate)"."""
    bare = _QUALIFIER.sub("", plain(name).removeprefix("$$"))
    return "".join(each for each in bare.casefold() if each.isalnum())


def addresses(text: str | None) -> tuple[str, ...]:
    """The addresses in a cell, which may hold several, or words; backslashes of LaTeX go."""
    found = re.findall(r"https?://[^\s，、}]+", (text or "").replace("\\", ""))
    return tuple(dict.fromkeys(_ended(each) for each in found))


def _ended(link: str) -> str:
    """Without the punctuation of the sentence around it."""
    link = link.rstrip(".,;:")
    return link.rstrip(").,;:") if link.count("(") < link.count(")") else link


def place(link: str) -> str | None:
    """What two addresses of one dataset have in common; None for the front page of a host of many."""
    parts = urlsplit(link)
    host = (parts.hostname or "").removeprefix("www.")
    path = unquote(parts.path).casefold().strip("/")
    path = re.sub(r"/(?:home|overview|data|dataset|download|introduction|versions/.*)$", "", f"/{path}").strip("/")
    if found := re.search(r"\bds\d{6}\b", path):
        return f"openneuro.org/{found[0]}" if host == "openneuro.org" else None
    query = re.search(r"(?:pageid|dataid|persistentid)=([^&#]+)", parts.query.casefold())
    anchor = re.search(r"syn\d+", parts.fragment.casefold())
    own = query[0] if query else anchor[0] if anchor else ""
    if host in _SHARED and not (path or own):
        return None
    return f"{host}/{path}" + (f"?{own}" if own else "")


def copied(links: tuple[str, ...]) -> bool:
    """Whether all addresses are of sites where anybody uploads: a license there is the uploader's word."""

    def is_copy(link: str) -> bool:
        parts = urlsplit(link)
        host = (parts.hostname or "").removeprefix("www.")
        return host in _COPIES and not re.match(r"/(?:c|competitions)/", parts.path)

    return bool(links) and all(map(is_copy, links))
