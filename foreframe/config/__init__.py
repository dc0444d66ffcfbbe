"""The schema of params.yaml, a section a file, so that a stage depends on its own sections only."""
