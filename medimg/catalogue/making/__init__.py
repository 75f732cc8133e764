"""How `listed.jsonl` is made: lists are read, their values normalized, their rows joined to one entry a dataset.

`python -m medimg.catalogue.making [--from ../shared] [--check]`; nothing else imports this package.
"""
