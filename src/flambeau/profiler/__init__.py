"""Where the time and the memory of a program go. Names and arguments are those of torch.profiler."""
