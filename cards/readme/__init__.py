"""README.md of a published repository: what it says for people, and its YAML for the Hub.

The YAML goes through `huggingface_hub` and `datasets`, the text through Jinja templates. Everything that a source or a
declaration says is escaped on its way into the text; only `Markup` made here passes as it is.
"""

from medimg.errors import need

need("hub", "rendering cards", "jinja2", "markupsafe")
