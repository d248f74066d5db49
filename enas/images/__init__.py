"""Input images: altered copies of them, CIFAR-10's files and their download."""
