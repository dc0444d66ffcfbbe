"""Feature networks: fixed networks whose activations perceptual and distributional metrics compare.

Their weights are never downloaded in passing: they come from the local store, see `weights.py`.
"""
