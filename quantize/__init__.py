"""n-bit fixed-point weights and activations, and the base that all low-bit layers share."""
