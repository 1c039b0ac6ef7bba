"""What surrounds a training step: progress bars, the loop, the search for a learning rate."""
