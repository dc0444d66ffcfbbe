"""How a stage is run: its command line, where it computes, what it spends."""
