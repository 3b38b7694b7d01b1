"""torch's functions of tensors, by what they do; most are methods of Tensor, too."""
