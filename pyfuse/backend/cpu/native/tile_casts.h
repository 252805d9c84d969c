/* Casts of the elements of a tile, as NumPy's `astype` does them. */
#ifndef PYFUSE_TILE_CASTS_H
#define PYFUSE_TILE_CASTS_H

#include <stddef.h>

/* From elements `stride` bytes apart to elements one after the other. Not 0: a float has no value of the integer type
   that it is cast to, so what NumPy makes of it is NumPy's to say. */
typedef int (*tile_cast)(const char *from, ptrdiff_t stride, char *to, ptrdiff_t count);

/* By the places of dtypes in CASTS (backend/tiles/numpy_loops.py); NULL where there is none. */
tile_cast find_tile_cast(long from, long to);

#endif
