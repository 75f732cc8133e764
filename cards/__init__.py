"""Cards: what a published repository says of itself, for people and for machines; and the portal."""
