"""From a source to files: shards, metadata, previews and what is counted of them."""
