// Which of two values: comparisons that stay quiet on NaN, and selections that cannot become branches.
// See docs/c-library.md, rule 6, for why neither `<` nor `?:` is used on floating-point values.

//@ for T in f4 f8
static inline pf_$U pf_bits_$T(pf_$T x) { pf_$U bits; __builtin_memcpy(&bits, &x, sizeof x); return bits; }
static inline pf_$T pf_from_bits_$T(pf_$U bits) { pf_$T x; __builtin_memcpy(&x, &bits, sizeof x); return x; }
/* All ones when neither operand is NaN, else zero. */
static inline pf_$U pf_ordered_mask_$T(pf_$T a, pf_$T b) { return -(pf_$U)!__builtin_isunordered(a, b); }
static inline pf_b1 pf_less_$T(pf_$T a, pf_$T b)
{
    pf_$U keep = pf_ordered_mask_$T(a, b);
    return pf_from_bits_$T(pf_bits_$T(a) & keep) < pf_from_bits_$T(pf_bits_$T(b) & keep);
}
static inline pf_b1 pf_less_equal_$T(pf_$T a, pf_$T b) { return (pf_b1)(pf_at_most_mask_$T(a, b) & 1); }
/* Each value is used twice: of (a & mask) | (b & ~mask) gcc 12 makes a masked division for AVX-512 where b is a quotient
   that nobody else reads, and no element reports that is not chosen. */
static inline pf_$T pf_select_$T(pf_b1 condition, pf_$T a, pf_$T b)
{
    pf_$U mask = -(pf_$U)(condition != 0);
    return pf_from_bits_$T(pf_bits_$T(b) ^ ((pf_bits_$T(a) ^ pf_bits_$T(b)) & mask));
}
//@ end

//@ for T in b1 i1 i2 i4 i8 u1 u2 u4 u8 f2
static inline pf_$T pf_select_$T(pf_b1 condition, pf_$T a, pf_$T b)
{
    pf_$T mask = (pf_$T)-(condition != 0);
    return (pf_$T)((a & mask) | (b & (pf_$T)~mask));
}
//@ end

//@ for T in c8 c16
static inline pf_$T pf_select_$T(pf_b1 condition, pf_$T a, pf_$T b)
{
    pf_$T result;
    result.re = pf_select_$F(condition, a.re, b.re);
    result.im = pf_select_$F(condition, a.im, b.im);
    return result;
}
//@ end

/* np.clip: a NaN anywhere gives NaN; bounds apply in NumPy's order, so that low > high gives high. A zero keeps its own sign when
   a bound is the other zero, as in NumPy's loop for bounds that are numbers. */
//@ for T in f4 f8
static inline pf_$T pf_clip_$T(pf_$T x, pf_$T low, pf_$T high)
{
    pf_$T raised = pf_select_$T(pf_less_$T(x, low), low, x);
    pf_$T limited = pf_select_$T(pf_less_$T(high, raised), high, raised);
    pf_$U bounds_are_numbers = pf_ordered_mask_$T(low, high);
    pf_$T bound = pf_select_$T(low != low, low, high);
    pf_$T clipped = pf_select_$T((pf_b1)(bounds_are_numbers & 1), limited, bound);
    return pf_select_$T(x != x, x, clipped);
}
//@ end

/* np.clip whose bounds are arrays: NumPy's loop takes the bound of two equal numbers, so that zeros may change sign. */
//@ for T in f4 f8
static inline pf_$T pf_clip_arrays_$T(pf_$T x, pf_$T low, pf_$T high)
{
    pf_$T raised = pf_select_$T(pf_less_$T(low, x) | (x != x), x, low);
    return pf_select_$T(pf_less_$T(raised, high) | (raised != raised), raised, high);
}
//@ end

//@ for T in b1 i1 i2 i4 i8 u1 u2 u4 u8
static inline pf_$T pf_clip_arrays_$T(pf_$T x, pf_$T low, pf_$T high)
{
    pf_$T raised = x < low ? low : x;
    return raised > high ? high : raised;
}
static inline pf_$T pf_clip_$T(pf_$T x, pf_$T low, pf_$T high)
{
    pf_$T raised = x < low ? low : x;
    return raised > high ? high : raised;
}
//@ end

/* Half precision: NumPy's loop keeps the value where it equals a bound, for bounds that are arrays too. */
static inline pf_f2 pf_clip_arrays_f2(pf_f2 x, pf_f2 low, pf_f2 high)
{
    pf_f2 raised = pf_select_f2(pf_less_f2(x, low), low, x);
    pf_f2 limited = pf_select_f2(pf_less_f2(high, raised), high, raised);
    pf_f2 bound = pf_select_f2(pf_isnan_f2(low), low, high);
    pf_f2 clipped = pf_select_f2(pf_isnan_f2(low) | pf_isnan_f2(high), bound, limited);
    return pf_select_f2(pf_isnan_f2(x), x, clipped);
}

//@ for T in b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16
/* The value. Where the condition holds, NumPy warns or raises in a way that no flag says: the original must run. */
static inline pf_$T pf_replay_if_$T(pf_b1 condition, pf_$T value, unsigned *status)
{
    *status |= condition ? PF_REPLAY : 0;
    return value;
}
//@ end
