"""Foreframe: the library that the stages call. Import its modules by name; nothing is re-exported here."""
