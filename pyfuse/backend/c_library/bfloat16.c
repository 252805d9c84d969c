// The upper half of a float32 in an unsigned short. Arithmetic is done by the generator in float, between the two casts.

static inline pf_f4 pf_cast_f4_bf2(pf_bf2 a) { return pf_from_bits_f4((pf_u4)a << 16); }
/* To nearest, ties to even; a NaN becomes the quiet one of its sign. */
static inline pf_bf2 pf_cast_bf2_f4(pf_f4 a)
{
    const pf_u4 bits = pf_bits_f4(a), size = bits & 0x7fffffffu;
    const pf_u4 rounded = (bits + 0x7fffu + ((bits >> 16) & 1)) >> 16, nan = ((bits >> 16) & 0x8000u) | 0x7fc0u;
    return (pf_bf2)(size > 0x7f800000u ? nan : rounded);
}
static inline pf_bf2 pf_select_bf2(pf_b1 condition, pf_bf2 a, pf_bf2 b) { return condition ? a : b; }
