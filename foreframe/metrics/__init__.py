"""Metrics: one per file, pure functions of true and predicted values in a declared value range.

Every file states its variant in one sentence, `VARIANT`; the protocol hashes these sentences.
"""
