"""Images on their way in: altered copies, CIFAR-10's files and their download."""
