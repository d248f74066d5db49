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

#ifdef __cplusplus
extern "C" {
#endif

#define NETWORK_HEIGHT $HEIGHT$
#define NETWORK_WIDTH $WIDTH$
#define NETWORK_CHANNELS $CHANNELS$
#define NETWORK_CLASSES $CLASSES$
#define NETWORK_MEMORY $MEMORY$ /* bytes of static memory */

extern const char *const network_classes[NETWORK_CLASSES];

/* Classifies an image. Not for two threads, or for an interrupt, at the same time.
 *
 * image: NETWORK_HEIGHT rows of NETWORK_WIDTH pixels of NETWORK_CHANNELS bytes from 0 to
 * 255; three channels are red, green and blue. An image of another size must be resized
 * as for training: by area if it is larger, else linearly, as OpenCV's INTER_AREA and
 * INTER_LINEAR do. logits: [NETWORK_CLASSES]; the class with the largest one is the
 * network's answer. */
void predict(const uint8_t *image, float *logits);

#ifdef __cplusplus
}
#endif

#endif
