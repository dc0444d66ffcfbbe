"""Every file format of the project: one atomic writer, byte-stable contents, checked readers."""
