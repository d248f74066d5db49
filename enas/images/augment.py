"""Makes augmented copies of training images with OpenCV, once before training.

There are five changes: enlargement by 1.2 with a crop back to size, rotation within
± 20°, brightness and contrast, pixel noise and, for colour images, a horizontal flip.
Each is made to a copy with probability one half.
"""

import cv2
import numpy as np

ENLARGEMENT = 1.2
MAX_ANGLE = 20.0
BRIGHTNESS = 30.0
CONTRAST = (0.8, 1.2)
NOISE = 8.0


def augmented(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns one altered copy of an image.

    Args:
      image: uint8 [H, W, C].

    Returns:
      uint8 [H, W, C].
    """
    height, width, channels = image.shape
    scale = ENLARGEMENT if _chance(rng) else 1.0
    angle = rng.uniform(-MAX_ANGLE, MAX_ANGLE) if _chance(rng) else 0.0
    if scale != 1.0 or angle:
        centre = ((width - 1) / 2, (height - 1) / 2)
        turn = cv2.getRotationMatrix2D(centre, angle, scale)
        image = cv2.warpAffine(
            image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE
        ).reshape(height, width, channels)
    if channels > 1 and _chance(rng):
        image = image[:, ::-1]
    values = image.astype(np.float32)
    if _chance(rng):
        values = values * rng.uniform(*CONTRAST) + rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    if _chance(rng):
        values += rng.normal(0.0, NOISE, values.shape)
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _chance(rng: np.random.Generator) -> bool:
    return rng.random() < 0.5


def with_augmented_copies(
    images: np.ndarray, labels: np.ndarray, n_aug_img: int, seed: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the images, then n_aug_img - 1 altered copies of each, with their labels.

    Args:
      images: uint8 [N, H, W, C].
      labels: int32 [N].
      n_aug_img: 1 or more.
      seed: None for different copies each time.

    Returns:
      (uint8 [N·n_aug_img, H, W, C], int32 [N·n_aug_img]).
    """
    if n_aug_img == 1:
        return images, labels
    rng = np.random.default_rng(seed)
    count = len(images)
    result = np.empty((count * n_aug_img, *images.shape[1:]), np.uint8)
    result[:count] = images
    for copy in range(count, len(result)):
        result[copy] = augmented(images[copy % count], rng)
    return result, np.tile(labels, n_aug_img)
