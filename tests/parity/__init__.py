"""What fanin must have in common with PyTorch: one record per case, run under both."""
