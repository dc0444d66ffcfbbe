"""The replication report: the thesis's tables and figures, made from the runs of two studies."""
