"""Building blocks that models share, one idea a file."""
