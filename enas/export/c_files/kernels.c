//// base
/* Packed activations, sums and real numbers share one memory, so real numbers are read
 * and written through memcpy, which compilers turn into plain loads and stores. */
static inline float get(const uint8_t *at)
{
    float x;
    memcpy(&x, at, sizeof x);
    return x;
}

static inline void put(uint8_t *at, float x)
{
    memcpy(at, &x, sizeof x);
}

/* x * y + z, rounded once from double: the product of two floats is exact there. */
static inline float fused(float x, float y, float z)
{
    return (float)((double)x * (double)y + (double)z);
}

//// unpack_$N_$FORMAT
/* Unpacks numbers of $FORMAT, the first in a byte's lowest bits. */
static inline void unpack_$N_$FORMAT(const uint8_t *packed, int count, $T *values)
{
    int n = 0;
    for (; n + $PER_BYTE <= count; n += $PER_BYTE) {
        const int byte = *packed++;
        for (int i = 0; i < $PER_BYTE; i++)
            values[n + i] = ($T)($VALUE);
    }
    for (int i = 0, byte = n < count ? *packed : 0; i < $PER_BYTE && n < count; i++, n++)
        values[n] = ($T)($VALUE);
}

//// unpack_int16_ternary
/* The four trits of every byte. Two bits hold -1, 0 or 1; the fourth value is unused. */
#define TRITS_1(b, c, d) {-1, b, c, d}, {0, b, c, d}, {1, b, c, d}, {0, b, c, d}
#define TRITS_2(c, d) TRITS_1(-1, c, d), TRITS_1(0, c, d), TRITS_1(1, c, d), TRITS_1(0, c, d)
#define TRITS_3(d) TRITS_2(-1, d), TRITS_2(0, d), TRITS_2(1, d), TRITS_2(0, d)
static const int16_t TRITS[256][4] = {TRITS_3(-1), TRITS_3(0), TRITS_3(1), TRITS_3(0)};

/* Unpacks trits, the first in a byte's lowest bits. */
static inline void unpack_int16_ternary(const uint8_t *packed, int count, int16_t *values)
{
    int n = 0;
    for (; n + 4 <= count; n += 4)
        memcpy(values + n, TRITS[*packed++], sizeof TRITS[0]);
    for (int i = 0; i < 4 && n < count; i++, n++)
        values[n] = TRITS[*packed][i];
}

//// row_$N_$FORMAT: sums, unpack_$N_$FORMAT
/* Unpacks `width` pixels of the input, `step` apart, to [width][pieces][channels]. */
static void row_$N_$FORMAT(const struct sums *stage, int first, int width, int step, $T *values)
{
    for (int x = 0; x < width; x++)
        for (int i = 0; i < stage->pieces; i++, values += stage->channels)
            unpack_$N_$FORMAT(stage->in[i] + (first + x * step) * stage->in_step,
                              stage->channels, values);
}

//// lanes
#if defined(__GNUC__) && !defined(NETWORK_PLAIN)
/* Vectors of gcc and clang. They keep sums in registers, where plain loops do not. */
#if defined(__AVX2__)
enum { LANES = 16 };
#else
enum { LANES = 8 };
#endif
typedef int16_t lanes __attribute__((vector_size(2 * LANES)));
typedef int8_t bytes __attribute__((vector_size(16)));
typedef float floats __attribute__((vector_size(16)));
#define NETWORK_VECTORS
#endif

//// matrix_int16
/* sums[pixel][16] = x[pixel][channels] times 16 filters' weights. The weights are paired:
 * [channels / 2][16][2], so that x86 multiplies and adds two channels at once. Behind the
 * last pixel of x, one number more may be read if the channels are odd. */
static void matrix_int16(const int16_t *x, int pixels, int channels, const int16_t *weights,
                         int32_t *sums)
{
    const int pairs = (channels + 1) / 2;
    int p = 0;
#if defined(NETWORK_MADD)
    enum { WIDE = 16 / NETWORK_MADD, ROWS = NETWORK_MADD / 2 };
    for (; p + ROWS <= pixels; p += ROWS) {
        madd_t acc[ROWS][WIDE];
        for (int r = 0; r < ROWS; r++)
            for (int v = 0; v < WIDE; v++)
                acc[r][v] = madd_all(0);
        for (int i = 0; i < pairs; i++) {
            for (int r = 0; r < ROWS; r++) {
                int32_t pair;
                memcpy(&pair, x + (p + r) * channels + 2 * i, sizeof pair);
                const madd_t both = madd_all(pair);
                for (int v = 0; v < WIDE; v++)
                    acc[r][v] = madd(acc[r][v], both, weights + 32 * i + 2 * NETWORK_MADD * v);
            }
        }
        for (int r = 0; r < ROWS; r++)
            for (int v = 0; v < WIDE; v++)
                madd_put(sums + 16 * (p + r) + NETWORK_MADD * v, acc[r][v]);
    }
#endif
    for (; p < pixels; p++) {
        int32_t acc[16] = {0};
        for (int i = 0; i < pairs; i++) {
            const int32_t a = x[p * channels + 2 * i];
            const int32_t b = 2 * i + 1 < channels ? x[p * channels + 2 * i + 1] : 0;
            for (int f = 0; f < 16; f++)
                acc[f] += a * weights[32 * i + 2 * f] + b * weights[32 * i + 2 * f + 1];
        }
        memcpy(sums + 16 * p, acc, sizeof acc);
    }
}

//// matrix_double
/* sums[pixel][16] = x[pixel][channels] times weights[channels][16]. */
static void matrix_double(const double *x, int pixels, int channels, const double *weights,
                          double *sums)
{
    memset(sums, 0, (size_t)(16 * pixels) * sizeof *sums);
    for (int p = 0; p < pixels; p++, x += channels, sums += 16)
        for (int c = 0; c < channels; c++)
            for (int f = 0; f < 16; f++)
                sums[f] += x[c] * weights[16 * c + f];
}

//// unpaired_$N_$FORMAT: unpack_$N_$FORMAT
/* Unpacks the weights of up to 16 filters to [channels][16], with zeros for the rest. */
static void unpaired_$N_$FORMAT(const uint8_t *packed, int bytes, int channels, int filters,
                                $T *weights)
{
    for (int c = 0; c < channels; c++, packed += bytes, weights += 16) {
        for (int f = filters; f < 16; f++)
            weights[f] = 0;
        unpack_$N_$FORMAT(packed, filters, weights);
    }
}

//// weights_int16_$FORMAT: unpack_int16_$FORMAT
/* Unpacks the weights of up to 16 filters to [channels / 2][16][2], as matrix_int16 reads
 * them, with zeros for the rest. */
static void weights_int16_$FORMAT(const uint8_t *packed, int bytes, int channels, int filters,
                                  int16_t *weights)
{
    const int count = filters < 16 ? filters : 16; /* which compilers cannot know */
    int16_t first[16] = {0}, second[16] = {0};
    for (int c = 0; c < channels; c += 2, packed += 2 * bytes, weights += 32) {
        unpack_int16_$FORMAT(packed, count, first);
        if (c + 1 < channels)
            unpack_int16_$FORMAT(packed + bytes, count, second);
        else
            memset(second, 0, sizeof second);
        LOOP
        for (int f = 0; f < 16; f++) {
            weights[2 * f] = first[f];
            weights[2 * f + 1] = second[f];
        }
    }
}

//// weights_double_$FORMAT: unpaired_double_$FORMAT
#define weights_double_$FORMAT unpaired_double_$FORMAT

//// tables_ternary
/* tables[group][code][16]: what two trits contribute to 16 sums, for each of their
 * codes, so that a pixel's sum is one addition for every two channels. */
static void tables_ternary(const int16_t *weights, int channels, int8_t *tables)
{
    for (int c = 0; c < channels; c += 2, weights += 32, tables += 11 * 16)
        for (int code = 0; code < 11; code++) {
            const int a = (code & 3) - 1, b = c + 1 < channels ? (code >> 2) - 1 : 0;
            for (int f = 0; f < 16; f++)
                tables[16 * code + f] = (int8_t)(a * weights[f] + b * weights[16 + f]);
        }
}

//// tables_binary
/* tables[group][code][16]: what four signs contribute to 16 sums, for each of their
 * codes, so that a pixel's sum is one addition for every four channels. */
static void tables_binary(const int16_t *weights, int channels, int8_t *tables)
{
    for (int c = 0; c < channels; c += 4, weights += 64, tables += 16 * 16)
        for (int code = 0; code < 16; code++) {
            int16_t all[16] = {0};
            for (int i = 0; i < 4 && c + i < channels; i++) {
                const int sign = code >> i & 1 ? 1 : -1;
                for (int f = 0; f < 16; f++)
                    all[f] = (int16_t)(all[f] + sign * weights[16 * i + f]);
            }
            for (int f = 0; f < 16; f++)
                tables[16 * code + f] = (int8_t)all[f];
        }
}

//// look_up: lanes
/* Adds to sums[pixel][16] what `groups` tables, each for `codes` codes, say of a part of
 * the pixels: so few that no sum of bytes overflows. */
static void look_up(const uint8_t *packed, int pixels, int step, int groups, int codes,
                    const int8_t *tables, int32_t *sums)
{
    for (int p = 0; p < pixels; p++, packed += step, sums += 16) {
        const int8_t *table = tables;
        int8_t acc[16] = {0};
#if defined(NETWORK_VECTORS)
        bytes all = {0}, add;
        for (int i = 0; i < groups / 2; i++, table += 32 * codes) {
            const int byte = packed[i];
            memcpy(&add, table + 16 * (byte & 15), sizeof add);
            all += add;
            memcpy(&add, table + 16 * (codes + (byte >> 4)), sizeof add);
            all += add;
        }
        if (groups % 2) {
            memcpy(&add, table + 16 * (packed[groups / 2] & 15), sizeof add);
            all += add;
        }
        memcpy(acc, &all, sizeof all);
#else
        for (int g = 0; g < groups; g++, table += 16 * codes) {
            const int8_t *add = table + 16 * (packed[g >> 1] >> (g & 1) * 4 & 15);
            for (int f = 0; f < 16; f++)
                acc[f] = (int8_t)(acc[f] + add[f]);
        }
#endif
        LOOP
        for (int f = 0; f < 16; f++)
            sums[f] += acc[f];
    }
}

//// depthwise_$N: lanes
/* Sums of a depthwise convolution's window at one pixel: out[channels] from `size` rows,
 * whose pixels are as far apart as those of the kernel [size][size][channels]. */
static inline void window_$N(const $T *const *rows, int channels, const $T *kernel, int size,
                             $T *out)
{
    int c = 0;
$WINDOW_VECTORS    for (; c < channels; c++) {
        $T sum = 0;
        for (int i = 0; i < size; i++)
            for (int j = 0; j < size; j++)
                sum = ($T)(sum + rows[i][j * channels + c] *
                                     kernel[(i * size + j) * channels + c]);
        out[c] = sum;
    }
}

/* One row of a depthwise convolution: out[width][channels] from `size` rows. */
static void depthwise_$N(const $T **rows, int channels, const $T *kernel, int size, int stride,
                         int width, $T *out)
{
    for (int x = 0; x < width; x++, out += channels) {
        if (size == 3) /* so that compilers unroll the usual sizes */
            window_$N(rows, channels, kernel, 3, out);
        else if (size == 5)
            window_$N(rows, channels, kernel, 5, out);
        else
            window_$N(rows, channels, kernel, size, out);
        for (int i = 0; i < size; i++)
            rows[i] += stride * channels;
    }
}

//// real_sums_$FILTER: base, lanes, real, finish_float, unpaired_float_$FILTER
/* Sums of products of real numbers and 16 filters' weights, in the order of the taps:
 * sums[pixels][16] from patches[pixels][taps]. */
static void real_sums_$FILTER(const float *patches, int pixels, int taps, const float *weights,
                              float *sums)
{
    for (int p = 0; p < pixels; p++, patches += taps, sums += 16) {
$REAL_SUMS    }
}

//// norm_$N_$ROUNDINGS: base, sums
/* Batch norm of [pixels][16] sums into real numbers. */
static void norm_$N_$ROUNDINGS(const $S *restrict sums, int pixels, int first, int filters,
                               const struct sums *stage, uint8_t *restrict out)
{
    const float *norm = stage->norm + first, unit = stage->unit;
    const int apart = stage->filters;
$NORM_POINTERS
    float y[16];
    out += 4 * first;
    for (int p = 0; p < pixels; p++, sums += 16, out += stage->out_step)
        if (filters == 16) {
            LOOP
            for (int f = 0; f < 16; f++) {
                const float x = $NORM_SUMS;
                y[f] = $NORM;
            }
            memcpy(out, y, sizeof y);
        } else {
            for (int f = 0; f < filters; f++) {
                const float x = $NORM_SUMS;
                put(out + 4 * f, $NORM);
            }
        }
}

//// threshold_$N_$FORMAT: sums, clear, pack_$BITS
/* Packs the activations of [pixels][16] sums: how many of its cuts each one reaches. */
static void threshold_$N_$FORMAT(const $S *restrict sums, int pixels, int first, int filters,
                                 const struct sums *stage, uint8_t *restrict out)
{
    $T signs[16] = {0}, cuts[$CUTS][16] = {{0}};
    for (int f = 0; f < filters; f++) {
        signs[f] = stage->signs[first + f];
        for (int i = 0; i < $CUTS; i++)
            cuts[i][f] = ((const $T *)stage->cuts)[i * stage->filters + first + f];
    }
    out += first * $BITS / 8;
    for (int p = 0; p < pixels; p++, sums += 16, out += stage->out_step) {
        uint8_t codes[16];
        LOOP
        for (int f = 0; f < 16; f++) {
            const $T x = ($T)(($T)sums[f] * signs[f]);
            int code = 0;
            for (int i = 0; i < $CUTS; i++)
                code += x >= cuts[i][f];
            codes[f] = (uint8_t)code;
        }
        clear(codes, filters);
        pack_$BITS(codes, filters, out);
    }
}

//// activated_$N_$ROUNDINGS_$FORMAT: base, sums$CODE_NEEDS, clear, pack_$BITS
/* The packed activations of the batch norm of [pixels][16] sums. */
static void activated_$N_$ROUNDINGS_$FORMAT(const $S *restrict sums, int pixels, int first,
                                            int filters, const struct sums *stage,
                                            uint8_t *restrict out)
{
    const float *norm = stage->norm + first, unit = stage->unit;
    const int apart = stage->filters;
    float $NORM_ARRAYS;
    for (int f = 0; f < filters; f++) {
$NORM_LOADS
    }
    out += first * $BITS / 8;
    for (int p = 0; p < pixels; p++, sums += 16, out += stage->out_step) {
        float y[16];
        uint8_t codes[16];
        LOOP
        for (int f = 0; f < 16; f++) {
            const float x = $NORM_SUMS;
            y[f] = $NORM;
        }
        LOOP
        for (int f = 0; f < 16; f++) {
            const float x = y[f];
            codes[f] = (uint8_t)($CODE);
        }
        clear(codes, filters);
        pack_$BITS(codes, filters, out);
    }
}

//// activated_$N_$ROUNDINGS_$FORMAT_and_$FILTER: activated_$N_$ROUNDINGS_$FORMAT, activated_$N_$ROUNDINGS_$FILTER
/* Two kinds of packed activations of the same batch norm. */
static void activated_$N_$ROUNDINGS_$FORMAT_and_$FILTER(const $S *restrict sums, int pixels,
                                                        int first, int filters,
                                                        const struct sums *stage,
                                                        uint8_t *restrict out)
{
    struct sums second = *stage;
    second.out_step = stage->second_step;
    activated_$N_$ROUNDINGS_$FORMAT(sums, pixels, first, filters, stage, out);
    activated_$N_$ROUNDINGS_$FILTER(sums, pixels, first, filters, &second,
                                    stage->second + (out - stage->out) / stage->out_step *
                                                        stage->second_step);
}

//// keep_$N_$KEPT: sums
/* Keeps sums as they are, for steps that read their batch norm (real_row). */
static void keep_$N_$KEPT(const $S *restrict sums, int pixels, int first, int filters,
                          const struct sums *stage, uint8_t *restrict out)
{
    out += first * (int)sizeof($KEPT_t);
    for (int p = 0; p < pixels; p++, sums += 16, out += stage->out_step)
        for (int f = 0; f < filters; f++) {
            const $KEPT_t kept = ($KEPT_t)sums[f];
            memcpy(out + f * (int)sizeof kept, &kept, sizeof kept);
        }
}

//// clear
/* Clears the codes from `count` on, of 16. */
static inline void clear(uint8_t *codes, int count)
{
    if (count < 16)
        for (int n = 0; n < 16; n++)
            if (n >= count)
                codes[n] = 0;
}

//// pack_1
/* Packs up to 16 codes of one bit. */
static inline void pack_1(const uint8_t *codes, int count, uint8_t *out)
{
    for (int n = 0; n < count; n += 8, codes += 8)
        *out++ = (uint8_t)(codes[0] | codes[1] << 1 | codes[2] << 2 | codes[3] << 3 |
                           codes[4] << 4 | codes[5] << 5 | codes[6] << 6 | codes[7] << 7);
}

//// pack_2
/* Packs up to 16 codes of two bits. */
static inline void pack_2(const uint8_t *codes, int count, uint8_t *out)
{
    for (int n = 0; n < count; n += 4, codes += 4) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        uint32_t four; /* the product moves each code to its place in the highest byte */
        memcpy(&four, codes, sizeof four);
        *out++ = (uint8_t)(four * 0x01041040u >> 24);
#else
        *out++ = (uint8_t)(codes[0] | codes[1] << 2 | codes[2] << 4 | codes[3] << 6);
#endif
    }
}

//// pack_4
/* Packs up to 16 codes of four bits. */
static inline void pack_4(const uint8_t *codes, int count, uint8_t *out)
{
    for (int n = 0; n < count; n += 2, codes += 2)
        *out++ = (uint8_t)(codes[0] | codes[1] << 4);
}

//// pack_8
/* Packs up to 16 codes of a byte. */
static inline void pack_8(const uint8_t *codes, int count, uint8_t *out)
{
    memcpy(out, codes, (size_t)count);
}

//// sums: real
/* A stage that sums: a convolution of packed activations, with what makes its results
 * of the sums. Its input are the channels of several maps, one after another. */
struct sums {
    const uint8_t *in[NETWORK_PIECES];
    int height, width, in_step, pieces, channels; /* of each piece; in_step in bytes */
    const uint8_t *window;  /* of a depthwise convolution before it, or null */
    int size, stride;       /* of the window */
    const uint8_t *weights; /* 16 filters after another: [size][size][channels][filters] */
    int filters;
    uint8_t *out, *second; /* results, and a second kind of them or null */
    int out_step, second_step;
    float unit;        /* what 1 stands for in the sums */
    const float *norm; /* batch norm: [mean, r, scale, offset][filters], or the last two */
    const int8_t *signs; /* thresholds: -1 where activations fall as sums rise */
    const void *cuts;    /* [cuts][filters] */
    const struct real *others[2]; /* maps that are blended with the results, or null */
    float factors[2];
};

//// finish_$N: sums
/* What makes the results of a row of sums: [pixels][16], of the filters from `first`. */
typedef void finish_$N(const $S *restrict sums, int pixels, int first, int filters,
                       const struct sums *stage, uint8_t *restrict out);

//// convolve_$N_$FORMAT_$FILTER: finish_$N, gather_$N, matrix_$N, row_$N_$FORMAT, weights_$N_$FILTER
/* K x K convolution of activations with stride 1. */
static void convolve_$N_$FORMAT_$FILTER(const struct sums *stage, finish_$N *finish)
{
    const int size = stage->size, width = stage->width, channels = stage->pieces * stage->channels;
    const int taps = size * size * channels;
    $T *weights = numbers_$N, *patches = weights + 16 * (taps + 1);
    $T *rows = patches + (size > 1 ? width * taps + 1 : 0);
    const uint8_t *packed = stage->weights;
    for (int first = 0; first < stage->filters; first += 16) {
        const int filters = stage->filters - first < 16 ? stage->filters - first : 16;
        const int bytes = (filters * $FILTER_BITS + 7) / 8;
        weights_$N_$FILTER(packed, bytes, taps, filters, weights);
        packed += bytes * taps;
        for (int y = 0, loaded = 0; y < stage->height; y++) {
            for (; loaded <= y + size / 2 && loaded < stage->height; loaded++)
                row_$N_$FORMAT(stage, loaded * width, width, 1,
                               rows + loaded % size * width * channels);
            const $T *x = rows;
            if (size > 1) {
                gather_$N(rows, y, stage->height, width, channels, size, 0, patches);
                x = patches;
            }
            matrix_$N(x, width, taps, weights, sums_$N);
            finish(sums_$N, width, first, filters, stage, stage->out + y * width * stage->out_step);
        }
    }
}

//// gather_$N
/* patches[width][size * size][channels]: what the window sees at each pixel of row y, row
 * by row or column by column, zero outside of the image. `rows` holds `size` rows, row y
 * in place y % size. */
static void gather_$N(const $T *rows, int y, int height, int width, int channels, int size,
                      int by_columns, $T *patches)
{
    for (int x = 0; x < width; x++)
        for (int t = 0; t < size * size; t++, patches += channels) {
            const int i = y + (by_columns ? t % size : t / size) - (size - 1) / 2;
            const int j = x + (by_columns ? t / size : t % size) - (size - 1) / 2;
            if (i < 0 || i >= height || j < 0 || j >= width)
                memset(patches, 0, (size_t)channels * sizeof *patches);
            else
                memcpy(patches, rows + (i % size * width + j) * channels,
                       (size_t)channels * sizeof *patches);
        }
}

//// look_up_$FORMAT_$FILTER: finish_int16, tables_$FORMAT, look_up, unpaired_int16_$FILTER
/* 1 x 1 convolution of activations by tables: for images of many pixels. */
static void look_up_$FORMAT_$FILTER(const struct sums *stage, finish_int16 *finish)
{
    enum { GROUP = $GROUP, CODES = $CODES, MOST = 124 / GROUP / 2 * 2 };
    const int groups = (stage->channels + GROUP - 1) / GROUP, width = stage->width;
    const int channels = stage->pieces * stage->channels;
    int16_t *weights = numbers_int16;
    int8_t *tables = (int8_t *)(weights + 16 * channels);
    const uint8_t *packed = stage->weights;
    for (int first = 0; first < stage->filters; first += 16) {
        const int filters = stage->filters - first < 16 ? stage->filters - first : 16;
        const int bytes = (filters * $FILTER_BITS + 7) / 8;
        unpaired_int16_$FILTER(packed, bytes, channels, filters, weights);
        packed += bytes * channels;
        for (int i = 0; i < stage->pieces; i++)
            tables_$FORMAT(weights + 16 * stage->channels * i, stage->channels,
                           tables + 16 * CODES * groups * i);
        for (int y = 0; y < stage->height; y++) {
            memset(sums_int16, 0, (size_t)(16 * width) * sizeof *sums_int16);
            for (int i = 0; i < stage->pieces; i++)
                for (int g = 0; g < groups; g += MOST)
                    look_up(stage->in[i] + y * width * stage->in_step + g / 2, width,
                            stage->in_step,
                            groups - g < MOST ? groups - g : MOST, CODES,
                            tables + 16 * CODES * (groups * i + g), sums_int16);
            finish(sums_int16, width, first, filters, stage,
                   stage->out + y * width * stage->out_step);
        }
    }
}

//// separable_$N_$FORMAT_$FILTER: finish_$N, before, blend, matrix_$N, row_$N_$FORMAT, weights_$N_$FILTER, unpack_$N_$FILTER, depthwise_$N
/* Depthwise convolution of activations, then a 1 x 1 convolution of its sums. The results
 * are blended with up to two other maps, and may take the place of one of them. */
static void separable_$N_$FORMAT_$FILTER(const struct sums *stage, finish_$N *finish)
{
    enum { MOST = 16 };
    const int size = stage->size, stride = stage->stride, channels = stage->pieces * stage->channels;
    const int height = (stage->height + stride - 1) / stride;
    const int width = (stage->width + stride - 1) / stride;
    const int top = before(stage->height, size, stride), left = before(stage->width, size, stride);
    /* Rows of this many pixels are computed before the weights are unpacked for them. */
    const int most = ($BAND + width - 1) / width, band = most < height ? most : height;
    const int slot = (stage->width + size - 1) * channels; /* a row with zeros around it */
    $T *window = numbers_$N, *weights = window + size * size * channels;
    $T *sums = weights + 16 * (channels + 1), *nothing = sums + band * width * channels + 1;
    $T *rows = nothing + slot;
    memset(nothing, 0, (size_t)((size + 1) * slot) * sizeof *nothing);
    unpack_$N_$FILTER(stage->window, size * size * channels, window);
    for (int start = 0, loaded = 0; start < height; start += band) {
        const int stop = start + band < height ? start + band : height;
        const uint8_t *packed = stage->weights;
        for (int y = start; y < stop; y++) {
            const $T *seen[MOST];
            for (int i = 0; i < size; i++) {
                const int from = y * stride + i - top;
                seen[i] = nothing;
                if (from < 0 || from >= stage->height)
                    continue;
                for (; loaded <= from; loaded++)
                    row_$N_$FORMAT(stage, loaded * stage->width, stage->width, 1,
                                   rows + loaded % size * slot + left * channels);
                seen[i] = rows + from % size * slot;
            }
            depthwise_$N(seen, channels, window, size, stride, width,
                         sums + (y - start) * width * channels);
        }
        for (int first = 0; first < stage->filters; first += 16) {
            const int filters = stage->filters - first < 16 ? stage->filters - first : 16;
            const int bytes = (filters * $FILTER_BITS + 7) / 8;
            weights_$N_$FILTER(packed, bytes, channels, filters, weights);
            packed += bytes * channels;
            matrix_$N(sums, (stop - start) * width, channels, weights, sums_$N);
            finish(sums_$N, (stop - start) * width, first, filters, stage,
                   stage->others[0] != 0 ? (uint8_t *)reals
                                         : stage->out + start * width * stage->out_step);
        }
        for (int y = start; y < stop && stage->others[0] != 0; y++) {
            const int count = width * stage->filters;
            float *row = reals + (y - start) * count, *scratch = reals + band * count;
            for (int i = 0; i < 2; i++)
                blend(row, count, stage->others[i], y, stage->factors[i], scratch);
            memcpy(stage->out + y * width * stage->out_step, row, (size_t)count * 4);
        }
    }
}

//// before
/* TensorFlow's SAME padding before an axis. */
static inline int before(int size, int window, int stride)
{
    const int total = ((size + stride - 1) / stride - 1) * stride + window - size;
    return total > 0 ? total / 2 : 0;
}

//// reduce_$N_$FORMAT_$FILTER: finish_$N, matrix_$N, row_$N_$FORMAT, weights_$N_$FILTER
/* Factorized reduction of activations. The first half of the filters reads the pixels
 * 0, 2, 4 ... in both directions, the other half the pixels 1, 3, 5 ... */
static void reduce_$N_$FORMAT_$FILTER(const struct sums *stage, finish_$N *finish)
{
    const int channels = stage->pieces * stage->channels, half = stage->filters / 2;
    const int height = (stage->height + 1) / 2, width = (stage->width + 1) / 2;
    $T *weights = numbers_$N, *row = weights + 16 * (channels + 1);
    const uint8_t *packed = stage->weights;
    for (int start = 0; start < 2; start++)
        for (int first = 0; first < half; first += 16) {
            const int filters = half - first < 16 ? half - first : 16;
            const int bytes = (filters * $FILTER_BITS + 7) / 8;
            weights_$N_$FILTER(packed, bytes, channels, filters, weights);
            packed += bytes * channels;
            for (int y = 0; y < height; y++) {
                const int from = 2 * y + start, seen = (stage->width + 1 - start) / 2;
                memset(row, 0, (size_t)(width * channels) * sizeof *row);
                if (from < stage->height)
                    row_$N_$FORMAT(stage, from * stage->width + start, seen, 2, row);
                matrix_$N(row, width, channels, weights, sums_$N);
                finish(sums_$N, width, start * half + first, filters, stage,
                       stage->out + y * width * stage->out_step);
            }
        }
}

//// real: base$REAL_NEEDS
/* A map of real numbers, or of kept sums whose batch norm the numbers are. */
struct real {
    const uint8_t *data;
    int height, width, channels;
    int kept;          /* 0: float; otherwise a number of real_row */
    float unit;
    const float *norm;
};

/* Loads a row [width][channels] of real numbers. */
static void real_row(const struct real *in, int y, float *restrict out)
{
    const int count = in->width * in->channels;
    switch (in->kept) {
$REAL_ROWS
    default:
        memcpy(out, in->data + (size_t)(y * count) * 4, (size_t)count * 4);
    }
}

//// real_$KEPT_$ROUNDINGS: base
/* Batch norm of a row of kept sums. */
static void real_$KEPT_$ROUNDINGS(const uint8_t *restrict in, int pixels, int channels,
                                  float unit, const float *restrict norm, float *restrict out)
{
    const int apart = channels;
$NORM_POINTERS
    for (int p = 0; p < pixels; p++, out += channels, in += channels * (int)sizeof($KEPT_t))
        for (int f = 0; f < channels; f++) {
            $KEPT_t sum;
            memcpy(&sum, in + f * (int)sizeof sum, sizeof sum);
            const float x = $NORM_SUM;
            out[f] = $NORM;
        }
}

//// activate_$FORMAT: real$CODE_NEEDS, clear, pack_$BITS
/* The activations of real numbers, packed. */
static void activate_$FORMAT(const struct real *in, uint8_t *restrict out, int step)
{
    float *row = reals;
    for (int y = 0; y < in->height; y++) {
        real_row(in, y, row);
        for (int p = 0; p < in->width; p++, out += step)
            for (int c = 0; c < in->channels; c += 16) {
                /* The last block may read numbers of the next pixel; they are not packed. */
                const float *restrict from = row + p * in->channels + c;
                const int count = in->channels - c < 16 ? in->channels - c : 16;
                uint8_t codes[16];
                LOOP
                for (int f = 0; f < 16; f++) {
                    const float x = from[f];
                    codes[f] = (uint8_t)($CODE);
                }
                clear(codes, count);
                pack_$BITS(codes, count, out + c * $BITS / 8);
            }
    }
}

//// code_fixed
/* What is stored of a fixed-point activation: round(x * m), ties to even, and never
 * below -m or above m - 1, counted from -m. The large number leaves no room for a
 * fraction in a float. */
static inline int code_fixed(float x, float m)
{
    float y = x * m;
    y = y > -m ? y : -m;
    y = y < m - 1.0f ? y : m - 1.0f;
    y = (y + 12582912.0f) - 12582912.0f;
    return (int)(y + m);
}

//// blend: real
/* Makes a row of a pool factor * (row + the row of another map), if there is one. */
static void blend(float *restrict row, int count, const struct real *other, int y,
                  float factor, float *restrict scratch)
{
    if (other == 0)
        return;
    real_row(other, y, scratch);
    for (int n = 0; n < count; n++)
        row[n] = factor * (row[n] + scratch[n]);
}

//// $POOL: real, before, blend
/* $POOLED of the pixels of a window that lie within the image; other as in blend. */
static void $POOL(const struct real *in, int size, int stride, const struct real *other,
                  float factor, uint8_t *out)
{
    const int height = (in->height + stride - 1) / stride, width = (in->width + stride - 1) / stride;
    const int top = before(in->height, size, stride), left = before(in->width, size, stride);
    const int channels = in->channels;
    float *row = reals, *rows = row + width * channels;
    for (int y = 0, loaded = 0; y < height; y++) {
        for (int n = 0; n < width * channels; n++)
            row[n] = $POOL_START;
        for (int i = 0; i < size; i++) {
            const int from = y * stride + i - top;
            if (from < 0 || from >= in->height)
                continue;
            for (; loaded <= from; loaded++)
                real_row(in, loaded, rows + loaded % size * in->width * channels);
            for (int x = 0; x < width; x++)
                for (int j = 0; j < size; j++) {
                    const int at = x * stride + j - left;
                    const float *restrict seen = rows + (from % size * in->width + at) * channels;
                    float *restrict result = row + x * channels;
                    if (at >= 0 && at < in->width)
                        for (int c = 0; c < channels; c++)
                            result[c] = $POOL_STEP;
                }
        }
$POOL_END        blend(row, width * channels, other, y, factor, rows + size * in->width * channels);
        memcpy(out, row, (size_t)(width * channels) * 4);
        out += width * channels * 4;
    }
}

//// $COMBINE: real
/* $COMBINED of two maps. The result may take the place of one of them. */
static void $COMBINE(const struct real *x, const struct real *y, uint8_t *out)
{
    const int count = x->width * x->channels;
    float *restrict first = reals, *restrict second = reals + count;
    for (int row = 0; row < x->height; row++, out += 4 * count) {
        real_row(x, row, first);
        real_row(y, row, second);
        for (int n = 0; n < count; n++)
            first[n] = $COMBINATION;
        memcpy(out, first, (size_t)count * 4);
    }
}

//// normalize: base
/* (x / 255 - mean) / std of each channel of the image. */
static void normalize(const uint8_t *image, int pixels, int channels, const float *mean,
                      const float *std, uint8_t *out)
{
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < channels; c++, image++, out += 4)
            put(out, ((float)*image / 255.0f - mean[c]) / std[c]);
}

//// convolve_real_$FILTER: gather_float, real_sums_$FILTER
/* K x K convolution of real numbers. The sums go over the window row by row, or column
 * by column, and then over the channels; the weights are stored in that order. */
static void convolve_real_$FILTER(const struct real *in, int by_columns, float unit,
                                  const struct sums *stage, finish_float *finish)
{
    const int size = stage->size, width = in->width, channels = in->channels;
    const int taps = size * size * channels;
    float *rows = reals, *weights = rows + size * width * channels, *sums = weights + 16 * taps;
    float *patches = sums + 16 * width;
    const uint8_t *packed = stage->weights;
    for (int first = 0; first < stage->filters; first += 16) {
        const int filters = stage->filters - first < 16 ? stage->filters - first : 16;
        const int bytes = (filters * $FILTER_BITS + 7) / 8;
        unpaired_float_$FILTER(packed, bytes, taps, filters, weights);
        packed += bytes * taps;
        for (int n = 0; n < 16 * taps; n++)
            weights[n] *= unit;
        for (int y = 0, loaded = 0; y < in->height; y++) {
            for (; loaded <= y + size / 2 && loaded < in->height; loaded++)
                real_row(in, loaded, rows + loaded % size * width * channels);
            gather_float(rows, y, in->height, width, channels, size, by_columns, patches);
            real_sums_$FILTER(patches, width, taps, weights, sums);
            finish(sums, width, first, filters, stage, stage->out + y * width * stage->out_step);
        }
    }
}

//// reduce_real_$FILTER: real_sums_$FILTER
/* Factorized reduction of real numbers (see reduce). */
static void reduce_real_$FILTER(const struct real *in, float unit, const struct sums *stage,
                                finish_float *finish)
{
    const int channels = in->channels, half = stage->filters / 2;
    const int height = (in->height + 1) / 2, width = (in->width + 1) / 2;
    float *seen = reals, *weights = seen + in->width * channels, *sums = weights + 16 * channels;
    float *row = sums + 16 * width;
    const uint8_t *packed = stage->weights;
    for (int start = 0; start < 2; start++)
        for (int first = 0; first < half; first += 16) {
            const int filters = half - first < 16 ? half - first : 16;
            const int bytes = (filters * $FILTER_BITS + 7) / 8;
            unpaired_float_$FILTER(packed, bytes, channels, filters, weights);
            packed += bytes * channels;
            for (int n = 0; n < 16 * channels; n++)
                weights[n] *= unit;
            for (int y = 0; y < height; y++) {
                memset(row, 0, (size_t)(width * channels) * sizeof *row);
                if (2 * y + start < in->height) {
                    real_row(in, 2 * y + start, seen);
                    for (int x = start; x < in->width; x += 2)
                        memcpy(row + x / 2 * channels, seen + x * channels,
                               (size_t)channels * sizeof *row);
                }
                real_sums_$FILTER(row, width, channels, weights, sums);
                finish(sums, width, start * half + first, filters, stage,
                       stage->out + y * width * stage->out_step);
            }
        }
}

//// average_$FORMAT: base, unpack_float_$FORMAT
/* Mean of all pixels of packed activations. */
static void average_$FORMAT(const uint8_t *in, int pixels, int step, int channels, float unit,
                            uint8_t *out)
{
    float *values = reals, *sums = reals + channels;
    memset(sums, 0, (size_t)channels * sizeof *sums);
    for (int p = 0; p < pixels; p++) {
        unpack_float_$FORMAT(in + p * step, channels, values);
        for (int c = 0; c < channels; c++)
            sums[c] += values[c];
    }
    for (int c = 0; c < channels; c++, out += 4)
        put(out, sums[c] * unit / (float)pixels);
}

//// dense_$WEIGHT: base
/* x times a matrix [channels][units], channel by channel and block by block. */
static void dense_$WEIGHT(const uint8_t *x, int channels, int units, int block,
                          const $WEIGHT_t *weights, float unit, float *total)
{
    float *sums = reals;
    for (int u = 0; u < units; u++)
        total[u] = 0.0f;
    for (int start = 0; start < channels; start += block) {
        const int end = start + block < channels ? start + block : channels;
        memset(sums, 0, (size_t)units * sizeof *sums);
        /* Where gcc 12 unrolls both loops, it forgets to round sums to float. */
        LOOP
        for (int c = start; c < end; c++, weights += units) {
            LOOP
            for (int u = 0; u < units; u++)
                sums[u] = fused(get(x + 4 * c), (float)weights[u] * unit, sums[u]);
        }
        for (int u = 0; u < units; u++)
            total[u] += sums[u];
    }
}
