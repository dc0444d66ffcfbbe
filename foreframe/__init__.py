"""Foreframe: the library that the stages call. Its modules are imported by name, not from here."""
