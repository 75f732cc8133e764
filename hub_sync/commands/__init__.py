"""The commands of `medimg`: one module for each, or for few that belong together."""
