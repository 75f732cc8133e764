"""Pushing a fused set: under which terms, own shards in one label space or copies, one commit, read back."""
