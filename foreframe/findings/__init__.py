"""Findings: what the trained study does and where it fails, each claim of the thesis as numbers.

A finding is a file with a function that measures clips and one that sums the clips up; the stage
`find` feeds them. Xu 2022 judged by eye; section numbers in the docstrings say which claim is
tested.
"""
