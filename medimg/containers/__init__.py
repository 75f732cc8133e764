"""Text inside image and video files, taken out without touching a pixel: only what is on a list per format stays.

A file is rewritten at the level of its container; what decodes to pixels is copied as it is. A file with nothing to
take out is returned itself.
"""

from collections import Counter

Left = Counter[str]
"""What was left out: place in the format (never what stood there) -> how often."""
