"""Fitting a network: the step-addressed loop, its checkpoints and its learning curves."""
