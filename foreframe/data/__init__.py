"""What models learn from: frames, splits, clips, actions, latents."""
