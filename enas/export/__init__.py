"""From a trained child to a network that runs anywhere."""
