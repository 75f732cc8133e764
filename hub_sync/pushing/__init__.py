"""Putting files on a Hub: its client, uploads, and patience with its troubles."""
