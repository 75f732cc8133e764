"""What a run would do: what changed since a dataset was published, and what stands in the way."""
