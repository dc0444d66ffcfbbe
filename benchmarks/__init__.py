"""Programs that measure speed, memory and scale, and print a table with ratios."""
