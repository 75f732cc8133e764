"""Imported for pretrained networks, which no loader wants."""
