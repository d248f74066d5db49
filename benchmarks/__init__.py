"""Measurements that are run by hand and are not part of the tests."""

import enas  # noqa: F401, before TensorFlow: it chooses its kernels
