"""Part of medimg."""
