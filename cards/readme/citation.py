"""A citation, in words and as BibTeX."""

from __future__ import annotations

import re

from markupsafe import Markup

from medimg.cards.readme.markdown import escape, link
from medimg.declaration import Citation, Dataset
from medimg.text import clean


def citation(citation: Citation) -> Markup:
    """Authors, title, venue and year in one sentence, with links to it."""
    doi = clean(citation.doi or "")
    url = f"https://doi.org/{doi}" if doi else citation.url
    parts = [escape(citation.authors), Markup("*{}*").format(escape(citation.title))]
    if citation.venue:
        parts.append(escape(citation.venue))
    parts.append(Markup(str(citation.year)))
    links = [link(f"doi:{doi}" if doi else url, url)] if url else []
    # The Hub finds the papers of a card by their addresses at arXiv.
    links += [link(f"arXiv:{id}", f"https://arxiv.org/abs/{id}") for id in citation.preprints]
    text = Markup(", ").join(parts)
    return Markup("{}. {}").format(text, Markup(", ").join(links)) if links else text


def bibtex(dataset: Dataset) -> str:
    """The citation as a BibTeX entry."""
    citation = dataset.citation
    fields = {
        "title": f"{{{_bibtex_value(citation.title)}}}",
        "author": _authors(citation.authors),
        "year": str(citation.year),
        "journal": _bibtex_value(citation.venue),
        # Addresses are verbatim in BibTeX: no escapes, but nothing that could close the field either.
        "doi": re.sub(r"[{}\\\s`]", "", clean(citation.doi or "")),
        "url": re.sub(r"[{}\\\s`]", "", clean(citation.url or "")),
    }
    kind = "article" if fields["journal"] else "misc"
    body = ",\n".join(f"  {key} = {{{text}}}" for key, text in fields.items() if text)
    return f"@{kind}{{{dataset.name},\n{body}\n}}"


def _bibtex_value(text: str) -> str:
    text = re.sub(r"[{}\\^~`]", " ", clean(text))
    return re.sub(r"([&%$#_])", r"\\\1", " ".join(text.split()))


def _authors(text: str) -> str:
    """Names joined as BibTeX wants them; verbatim where one cannot tell where a name ends."""
    text = clean(text)
    others = re.search(r",?\s+(et al\.?|and others)$", text)
    names = text[: others.start()] if others else text
    divider = r"\s*;\s*" if ";" in names else r",\s*(?:and\s+|&\s*)?|\s+and\s+|\s*&\s*"
    parts = [part.strip() for part in re.split(divider, names) if part.strip()]
    if "," in names and ";" not in names and not all(" " in part for part in parts):
        return f"{{{_bibtex_value(text)}}}"
    parts = [re.sub(r"^([^,]+) ([A-Z]{1,3})$", r"\1, \2", part) for part in parts]
    return " and ".join([*map(_bibtex_value, parts), *(["others"] if others else [])])
