"""Other processes, on this computer or in a cluster, that do parts of a run of sync."""
