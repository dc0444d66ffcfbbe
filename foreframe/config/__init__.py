"""The schema of params.yaml, one section a file, so that a stage depends on its own sections only."""
