"""Schematics of the models, drawn from their settings, so that the numbers in them are the run's.

Lengths are in inches from the lower left corner.
"""
