"""Kinds of figures: `kind: curve` in a study's figures.yaml is the file `curve.py` here.

A kind has strict `Settings` and either `fill`, which draws a chart on a canvas, or `draw`, which
returns pictures made of frames. What it reads goes through a `Desk`, which notes the artefacts. A
file without `Settings` is no kind, but helps its neighbours.
"""
