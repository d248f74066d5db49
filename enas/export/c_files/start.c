#include "network.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

/* Every float is rounded as IEEE 754 says: a number that is one bit off before an
 * activation may become another one. A method of 16 is about half floats only. */
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || \
    defined(__RECIPROCAL_MATH__) || (FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16)
#error "compile without -ffast-math, and with float arithmetic in float (-msse2)"
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

/* gcc would unroll a loop of 16 steps first, and then not find vectors in it. */
#if defined(__GNUC__) && !defined(__clang__)
#define LOOP _Pragma("GCC unroll 1")
#else
#define LOOP
#endif

#if defined(NETWORK_PLAIN)
/* Nothing but C99: half as fast or slower, and equal to the last bit. */
#elif defined(__AVX2__)
#include <immintrin.h>
#define NETWORK_MADD 8 /* sums in a vector */
typedef __m256i madd_t;
#define madd_all(pair) _mm256_set1_epi32(pair)
#define madd(sums, x, w) \
    _mm256_add_epi32(sums, _mm256_madd_epi16(x, _mm256_loadu_si256((const __m256i *)(w))))
#define madd_put(to, sums) _mm256_storeu_si256((__m256i *)(to), sums)
#elif defined(__SSE2__)
#include <emmintrin.h>
#define NETWORK_MADD 4
typedef __m128i madd_t;
#define madd_all(pair) _mm_set1_epi32(pair)
#define madd(sums, x, w) \
    _mm_add_epi32(sums, _mm_madd_epi16(x, _mm_loadu_si128((const __m128i *)(w))))
#define madd_put(to, sums) _mm_storeu_si128((__m128i *)(to), sums)
#endif
