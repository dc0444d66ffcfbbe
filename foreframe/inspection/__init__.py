"""Looking at the data before any model does: what the sets hold, and how far they are apart."""
