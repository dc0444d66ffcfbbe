"""Futures and models measured under a written protocol."""
