"""What a network's output says of the values of a frame, as probabilities or as densities."""
