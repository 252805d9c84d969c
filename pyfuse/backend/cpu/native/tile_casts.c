/* Casts between booleans, integers, floats and complex numbers: what C's casts mean, as in NumPy's own loops
   (numpy/_core/src/multiarray/lowlevel_strided_loops.c.src), which cannot be reached from outside. A float that is cast to
   an integer that cannot hold it is undefined in C: it is found here by its value, and left to NumPy. */
#include "tile_casts.h"

#include <stdint.h>
#include <string.h>

typedef struct {
    float re, im;
} c8;
typedef struct {
    double re, im;
} c16;
typedef uint8_t b1;
typedef int8_t i1;
typedef int16_t i2;
typedef int32_t i4;
typedef int64_t i8;
typedef uint8_t u1;
typedef uint16_t u2;
typedef uint32_t u4;
typedef uint64_t u8;
typedef float f4;
typedef double f8;

/* Both bounds are exact in double, and so is every float. */
#define IS_IN_i1(x) ((x) > -129.0 && (x) < 128.0)
#define IS_IN_i2(x) ((x) > -32769.0 && (x) < 32768.0)
#define IS_IN_i4(x) ((x) > -2147483649.0 && (x) < 2147483648.0)
#define IS_IN_i8(x) ((x) >= -9223372036854775808.0 && (x) < 9223372036854775808.0)
#define IS_IN_u1(x) ((x) > -1.0 && (x) < 256.0)
#define IS_IN_u2(x) ((x) > -1.0 && (x) < 65536.0)
#define IS_IN_u4(x) ((x) > -1.0 && (x) < 4294967296.0)
#define IS_IN_u8(x) ((x) > -1.0 && (x) < 18446744073709551616.0)

#define LOOP(FROM, TO, STRIDE, STATEMENT)                                                                              \
    for (ptrdiff_t i = 0; i < count; i++) {                                                                            \
        FROM x;                                                                                                        \
        TO y;                                                                                                          \
        memcpy(&x, from + i * (STRIDE), sizeof x);                                                                     \
        STATEMENT;                                                                                                     \
        memcpy(to + i * (ptrdiff_t)sizeof y, &y, sizeof y);                                                            \
    }

#define DEFINE(FROM, TO, STATEMENT)                                                                                    \
    static int FROM##_to_##TO(const char *from, ptrdiff_t stride, char *restrict to, ptrdiff_t count)                  \
    {                                                                                                                  \
        int outside = 0;                                                                                               \
        if (stride == (ptrdiff_t)sizeof(FROM))                                                                         \
            LOOP(FROM, TO, (ptrdiff_t)sizeof(FROM), STATEMENT)                                                         \
        else                                                                                                           \
            LOOP(FROM, TO, stride, STATEMENT)                                                                          \
        return outside;                                                                                                \
    }

#define PLAIN(FROM, TO) DEFINE(FROM, TO, y = (TO)x)
#define TO_BOOL(FROM) DEFINE(FROM, b1, y = x != 0)
#define TO_COMPLEX(FROM)                                                                                               \
    DEFINE(FROM, c8, (y.re = (f4)x, y.im = 0))                                                                         \
    DEFINE(FROM, c16, (y.re = (f8)x, y.im = 0))
#define CHECKED(FROM, TO) DEFINE(FROM, TO, (outside |= !IS_IN_##TO((f8)x), y = IS_IN_##TO((f8)x) ? (TO)x : 0))

#define OF_INTEGER(FROM)                                                                                               \
    TO_BOOL(FROM)                                                                                                      \
    PLAIN(FROM, i1)                                                                                                    \
    PLAIN(FROM, i2)                                                                                                    \
    PLAIN(FROM, i4)                                                                                                    \
    PLAIN(FROM, i8)                                                                                                    \
    PLAIN(FROM, u1)                                                                                                    \
    PLAIN(FROM, u2)                                                                                                    \
    PLAIN(FROM, u4)                                                                                                    \
    PLAIN(FROM, u8)                                                                                                    \
    PLAIN(FROM, f4)                                                                                                    \
    PLAIN(FROM, f8)                                                                                                    \
    TO_COMPLEX(FROM)

#define OF_FLOAT(FROM)                                                                                                 \
    TO_BOOL(FROM)                                                                                                      \
    CHECKED(FROM, i1)                                                                                                  \
    CHECKED(FROM, i2)                                                                                                  \
    CHECKED(FROM, i4)                                                                                                  \
    CHECKED(FROM, i8)                                                                                                  \
    CHECKED(FROM, u1)                                                                                                  \
    CHECKED(FROM, u2)                                                                                                  \
    CHECKED(FROM, u4)                                                                                                  \
    CHECKED(FROM, u8)                                                                                                  \
    PLAIN(FROM, f4)                                                                                                    \
    PLAIN(FROM, f8)                                                                                                    \
    TO_COMPLEX(FROM)

OF_INTEGER(b1)
OF_INTEGER(i1)
OF_INTEGER(i2)
OF_INTEGER(i4)
OF_INTEGER(i8)
OF_INTEGER(u1)
OF_INTEGER(u2)
OF_INTEGER(u4)
OF_INTEGER(u8)
OF_FLOAT(f4)
OF_FLOAT(f8)
DEFINE(c8, b1, y = x.re != 0 || x.im != 0)
DEFINE(c16, b1, y = x.re != 0 || x.im != 0)
DEFINE(c8, c16, (y.re = x.re, y.im = x.im))
DEFINE(c16, c8, (y.re = (f4)x.re, y.im = (f4)x.im))

#define ROW(FROM)                                                                                                      \
    {FROM##_to_b1, FROM##_to_i1, FROM##_to_i2, FROM##_to_i4, FROM##_to_i8, FROM##_to_u1, FROM##_to_u2,                 \
     FROM##_to_u4, FROM##_to_u8, FROM##_to_f4, FROM##_to_f8, FROM##_to_c8, FROM##_to_c16}

enum { TYPES = 13, C8 = 11, C16 = 12 };

static const tile_cast casts[TYPES][TYPES] = {
    ROW(b1), ROW(i1), ROW(i2), ROW(i4), ROW(i8), ROW(u1), ROW(u2), ROW(u4), ROW(u8), ROW(f4), ROW(f8),
    [C8] = {[0] = c8_to_b1, [C16] = c8_to_c16},
    [C16] = {[0] = c16_to_b1, [C8] = c16_to_c8},
};

tile_cast find_tile_cast(long from, long to)
{
    return from >= 0 && from < TYPES && to >= 0 && to < TYPES ? casts[from][to] : NULL;
}
