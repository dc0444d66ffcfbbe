"""Random search over the settings of an autoencoder (Xu 2022, 5.1): draws, trials and summary."""
