/* Reads images from standard input and prints the class and the logits of each.
 *
 * An image is NETWORK_HEIGHT x NETWORK_WIDTH x NETWORK_CHANNELS raw bytes, row by row, and
 * no file such as PNG or JPEG. */
#include <stdio.h>
#include <string.h>

#include "network.h"

int main(void)
{
    static uint8_t image[NETWORK_HEIGHT * NETWORK_WIDTH * NETWORK_CHANNELS];
    float logits[NETWORK_CLASSES];
    size_t size;
    while ((size = fread(image, 1, sizeof image, stdin)) == sizeof image) {
        int best = 0;
        if (memcmp(image, "\x89PNG", 4) == 0 || memcmp(image, "\xff\xd8\xff", 3) == 0) {
            fprintf(stderr, "this is a PNG or JPEG file; raw bytes are wanted\n");
            return 1;
        }
        predict(image, logits);
        for (int i = 1; i < NETWORK_CLASSES; i++)
            if (logits[i] > logits[best])
                best = i;
        printf("%s", network_classes[best]);
        for (int i = 0; i < NETWORK_CLASSES; i++)
            printf(" %.9g", (double)logits[i]);
        printf("\n");
    }
    if (size != 0) {
        fprintf(stderr, "the last image has %lu bytes of %lu\n", (unsigned long)size,
                (unsigned long)sizeof image);
        return 1;
    }
    return 0;
}
