"""A whole README: text of a template below the YAML, with what people wrote on it."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from importlib import resources

import jinja2
from huggingface_hub import DatasetCard, DatasetCardData
from markupsafe import Markup

from medimg.cards import human
from medimg.cards.readme.markdown import code, escape
from medimg.text import clean


def readme(template: str, context: Mapping[str, object], data: DatasetCardData, previous: str | None) -> str:
    """README.md of a repository.

    Args:
        template: its name.
        context: what the template shows, besides `human`.
        data: the YAML.
        previous: the published card, whose hand-written block is kept.

    Raises:
        MedimgError: the hand-written block of `previous` lacks a marker.
    """
    block, empty = human.block(previous), Markup(human.block(None))
    text = environment().get_template(template).render(context, human=empty)
    text = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    return below(data, text.replace(empty, block, 1))


def below(data: DatasetCardData, text: str) -> str:
    """Text below its YAML."""
    template = "---\n{{ card_data }}\n---\n\n{{ text }}"
    return str(DatasetCard.from_template(data, template_str=template, text=text)).rstrip("\n") + "\n"


@functools.cache
def environment() -> jinja2.Environment:
    """Templates in which every value is escaped for Markdown unless it is `Markup`."""
    folder = resources.files("medimg.cards") / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else escape(value),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["plain"] = _plain
    environment.filters["codes"] = lambda names: Markup(", ").join(code(name) for name in names)
    return environment


def _plain(text: str) -> Markup:
    """Text inside a quoted string of a code block."""
    return Markup(re.sub(r"[\"\\`]", "", clean(text)))
