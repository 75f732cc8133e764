"""Imported for augmentations and models, which no loader wants."""
