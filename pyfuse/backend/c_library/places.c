// Which element an index means along an axis of `extent` elements, at least one: NumPy's integer array indexing and np.take.
// Whatever the index is, the place is one of the axis, so that nothing else is read.

/* Negative indices count from the end; for one out of range the original must run, and raise NumPy's IndexError. */
static inline pf_i8 pf_place_raise(pf_i8 index, pf_i8 extent, unsigned *status)
{
    const pf_i8 place = index + (extent & -(pf_i8)(index < 0));
    const unsigned is_outside = (pf_u8)place >= (pf_u8)extent;
    *status |= is_outside * PF_REPLAY;
    return place & ((pf_i8)is_outside - 1);
}
static inline pf_i8 pf_place_clip(pf_i8 index, pf_i8 extent)
{
    const pf_i8 raised = index < 0 ? 0 : index;
    return raised < extent ? raised : extent - 1;
}
static inline pf_i8 pf_place_wrap(pf_i8 index, pf_i8 extent)
{
    if (__builtin_expect(index >= 0 && index < extent, 1)) return index;
    const pf_i8 rest = index % extent;
    return rest < 0 ? rest + extent : rest;
}

/* The same, in loops that are better not made into vectors: the empty statement keeps gcc from it. A table of uint8 read by a uint8
   image takes 0.26 ns an element so, and 2.0 as vectors; one of float64 0.29 and 0.34 (AVX2: 0.25 and 0.46). */
static inline pf_i8 pf_place_raise_singly(pf_i8 index, pf_i8 extent, unsigned *status)
{
    const pf_i8 place = index + (extent & -(pf_i8)(index < 0));
    if (__builtin_expect((pf_u8)place < (pf_u8)extent, 1)) return place;
    __asm__("");
    *status |= PF_REPLAY;
    return 0;
}
static inline pf_i8 pf_place_clip_singly(pf_i8 index, pf_i8 extent)
{
    if (__builtin_expect((pf_u8)index < (pf_u8)extent, 1)) return index;
    __asm__("");
    return index < 0 ? 0 : extent - 1;
}
static inline pf_i8 pf_place_wrap_singly(pf_i8 index, pf_i8 extent) { return pf_place_wrap(index, extent); }
