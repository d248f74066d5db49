/* A low-bit image classifier.
 *
$ABOUT$
 *
 * It needs C99, libc and libm, $CONSTANTS$ bytes of constants and the memory below, and
 * neither a heap nor threads. The memory is static, so one image is classified at a time.
 */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdint.h>

enum {
    NETWORK_HEIGHT = $HEIGHT$,
    NETWORK_WIDTH = $WIDTH$,
    NETWORK_CHANNELS = $CHANNELS$,
    NETWORK_CLASSES = $CLASSES$,
    NETWORK_MEMORY = $MEMORY$ /* bytes of static memory */
};

extern const char *const network_classes[NETWORK_CLASSES];

/* Classifies an image.
 *
 * image: [NETWORK_HEIGHT][NETWORK_WIDTH][NETWORK_CHANNELS] bytes from 0 to 255; three
 * channels are red, green and blue. logits: [NETWORK_CLASSES]; the class with the
 * largest one is the network's answer. */
void predict(const uint8_t *image, float *logits);

#endif
