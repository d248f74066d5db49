"""n-bit fixed-point weights and activations, and what all low-bit layers share."""
