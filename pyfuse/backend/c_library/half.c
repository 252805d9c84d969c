// Half precision: the bits of a binary16 in an unsigned short. Arithmetic is done by the generator in float, between
// the two casts; here are those casts and what works on the bits.

/* Exact; a NaN keeps its payload. */
static inline pf_f4 pf_cast_f4_f2(pf_f2 a)
{
    const pf_u4 size = a & 0x7fffu, sign = (pf_u4)(a & 0x8000u) << 16;
    const pf_u4 shifted = (size << 13) + (size >= 0x7c00u ? 0x70000000u : 0x38000000u);
    const pf_u4 subnormal = pf_bits_f4((pf_f4)(pf_i4)size * 0x1p-24f);
    return pf_from_bits_f4((size < 0x400u ? subnormal : shifted) | sign);
}
static inline pf_f8 pf_cast_f8_f2(pf_f2 a)
{
    const pf_u8 size = a & 0x7fffu, sign = (pf_u8)(a & 0x8000u) << 48;
    const pf_u8 shifted = (size << 42) + (size >= 0x7c00u ? 0x7e00000000000000ull : 0x3f00000000000000ull);
    const pf_u8 subnormal = pf_bits_f8((pf_f8)(pf_i4)(a & 0x7fffu) * 0x1p-24);
    return pf_from_bits_f8((size < 0x400u ? subnormal : shifted) | sign);
}
/* To nearest, ties to even. Like NumPy: overflow for a finite value that becomes infinite, underflow for one below the
 * smallest normal half that is not exact. A sum with 1/2 rounds a value below 2^-14 to multiples of 2^-24. */
static inline pf_f2 pf_cast_f2_f4(pf_f4 a, unsigned *status)
{
    const pf_u4 bits = pf_bits_f4(a), size = bits & 0x7fffffffu, sign = (bits >> 16) & 0x8000u;
    const pf_u4 is_small = -(pf_u4)(size < 0x38800000u), is_nan = -(pf_u4)(size > 0x7f800000u);
    const pf_f4 small = pf_from_bits_f4(size & is_small), rounded = small + 0.5f;
    const pf_u4 subnormal = pf_bits_f4(rounded) - 0x3f000000u;
    const pf_u4 capped = size > 0x47800000u ? 0x47800000u : size;
    const pf_u4 normal = (capped - 0x38000000u + 0xfffu + ((capped >> 13) & 1)) >> 13;
    const pf_u4 payload = (size >> 13) & 0x3ffu, nan = 0x7c00u | (payload ? payload : 1);
    const pf_u4 regular = (subnormal & is_small) | (normal & ~is_small);
    *status |= (size >= 0x477ff000u) & (size < 0x7f800000u) ? PF_OVERFLOW : 0;
    *status |= rounded - 0.5f != small ? PF_UNDERFLOW : 0;
    return (pf_f2)(sign | (nan & is_nan) | (regular & ~is_nan));
}
static inline pf_f2 pf_cast_f2_f8(pf_f8 a, unsigned *status)
{
    const pf_u8 bits = pf_bits_f8(a), size = bits & 0x7fffffffffffffffull, sign = (bits >> 48) & 0x8000u;
    const pf_u8 is_small = -(pf_u8)(size < 0x3f10000000000000ull), is_nan = -(pf_u8)(size > 0x7ff0000000000000ull);
    const pf_f8 small = pf_from_bits_f8(size & is_small), rounded = small + 0x1p28;
    const pf_u8 subnormal = pf_bits_f8(rounded) - 0x41b0000000000000ull;
    const pf_u8 capped = size > 0x40f0000000000000ull ? 0x40f0000000000000ull : size;
    const pf_u8 normal = (capped - 0x3f00000000000000ull + 0x1ffffffffffull + ((capped >> 42) & 1)) >> 42;
    const pf_u8 payload = (size >> 42) & 0x3ffu, nan = 0x7c00u | (payload ? payload : 1);
    const pf_u8 regular = (subnormal & is_small) | (normal & ~is_small);
    *status |= (size >= 0x40effe0000000000ull) & (size < 0x7ff0000000000000ull) ? PF_OVERFLOW : 0;
    *status |= rounded - 0x1p28 != small ? PF_UNDERFLOW : 0;
    return (pf_f2)(sign | (nan & is_nan) | (regular & ~is_nan));
}

static inline pf_f2 pf_positive_f2(pf_f2 a) { return a; }
static inline pf_f2 pf_conjugate_f2(pf_f2 a) { return a; }
static inline pf_f2 pf_negative_f2(pf_f2 a) { return a ^ 0x8000u; }
static inline pf_f2 pf_absolute_f2(pf_f2 a) { return a & 0x7fffu; }
static inline pf_f2 pf_fabs_f2(pf_f2 a) { return a & 0x7fffu; }
static inline pf_f2 pf_copysign_f2(pf_f2 a, pf_f2 b) { return (a & 0x7fffu) | (b & 0x8000u); }
static inline pf_b1 pf_signbit_f2(pf_f2 a) { return (pf_b1)(a >> 15); }
static inline pf_b1 pf_isnan_f2(pf_f2 a) { return (a & 0x7fffu) > 0x7c00u; }
static inline pf_b1 pf_isinf_f2(pf_f2 a) { return (a & 0x7fffu) == 0x7c00u; }
static inline pf_b1 pf_isfinite_f2(pf_f2 a) { return (a & 0x7c00u) != 0x7c00u; }
static inline pf_f2 pf_sign_f2(pf_f2 a)
{
    const pf_u2 size = a & 0x7fffu;
    return size > 0x7c00u ? a : size == 0 ? 0 : (pf_f2)((a & 0x8000u) | 0x3c00u);
}
/* Integers in the order of the values; both zeros are 0. */
static inline pf_i2 pf_order_f2(pf_f2 a)
{
    const pf_i2 size = (pf_i2)(a & 0x7fffu), negative = (pf_i2)-(pf_i2)(a >> 15);
    return (pf_i2)((size ^ negative) - negative);
}
static inline pf_b1 pf_ordered_f2(pf_f2 a, pf_f2 b) { return ((a & 0x7fffu) <= 0x7c00u) & ((b & 0x7fffu) <= 0x7c00u); }
static inline pf_b1 pf_equal_f2(pf_f2 a, pf_f2 b) { return (pf_order_f2(a) == pf_order_f2(b)) & pf_ordered_f2(a, b); }
static inline pf_b1 pf_not_equal_f2(pf_f2 a, pf_f2 b)
{
    return (pf_order_f2(a) != pf_order_f2(b)) | !pf_ordered_f2(a, b);
}
static inline pf_b1 pf_less_f2(pf_f2 a, pf_f2 b) { return (pf_order_f2(a) < pf_order_f2(b)) & pf_ordered_f2(a, b); }
static inline pf_b1 pf_less_equal_f2(pf_f2 a, pf_f2 b)
{
    return (pf_order_f2(a) <= pf_order_f2(b)) & pf_ordered_f2(a, b);
}
static inline pf_b1 pf_greater_f2(pf_f2 a, pf_f2 b) { return pf_less_f2(b, a); }
static inline pf_b1 pf_greater_equal_f2(pf_f2 a, pf_f2 b) { return pf_less_equal_f2(b, a); }
static inline pf_b1 pf_logical_and_f2(pf_f2 a, pf_f2 b) { return ((a & 0x7fffu) != 0) & ((b & 0x7fffu) != 0); }
static inline pf_b1 pf_logical_or_f2(pf_f2 a, pf_f2 b) { return ((a | b) & 0x7fffu) != 0; }
static inline pf_b1 pf_logical_xor_f2(pf_f2 a, pf_f2 b) { return ((a & 0x7fffu) != 0) ^ ((b & 0x7fffu) != 0); }
static inline pf_b1 pf_logical_not_f2(pf_f2 a) { return (a & 0x7fffu) == 0; }
/* Unlike the wider types, of equal operands (zeros of either sign) the first is the result. */
static inline pf_f2 pf_maximum_f2(pf_f2 a, pf_f2 b) { return pf_greater_equal_f2(a, b) | pf_isnan_f2(a) ? a : b; }
static inline pf_f2 pf_minimum_f2(pf_f2 a, pf_f2 b) { return pf_less_equal_f2(a, b) | pf_isnan_f2(a) ? a : b; }
static inline pf_f2 pf_fmax_f2(pf_f2 a, pf_f2 b) { return pf_greater_equal_f2(a, b) | pf_isnan_f2(b) ? a : b; }
static inline pf_f2 pf_fmin_f2(pf_f2 a, pf_f2 b) { return pf_less_equal_f2(a, b) | pf_isnan_f2(b) ? a : b; }
static inline pf_f2 pf_heaviside_f2(pf_f2 a, pf_f2 b)
{
    return pf_isnan_f2(a) ? a : (a & 0x7fffu) == 0 ? b : (a & 0x8000u) ? 0 : 0x3c00u;
}
static inline pf_f2 pf_nextafter_f2(pf_f2 a, pf_f2 b, unsigned *status)
{
    const pf_b1 same = pf_order_f2(a) == pf_order_f2(b), zero = (a & 0x7fffu) == 0, ordered = pf_ordered_f2(a, b);
    const pf_b1 outwards = (((a ^ b) & 0x8000u) == 0) & ((b & 0x7fffu) > (a & 0x7fffu));
    const pf_f2 moved = zero ? (pf_f2)((b & 0x8000u) + 1) : (pf_f2)(a + (outwards ? 1 : -1));
    const pf_f2 result = same ? a : moved;
    *status |= ordered & pf_isinf_f2(result) & pf_isfinite_f2(a) ? PF_OVERFLOW : 0;
    return ordered ? result : (pf_f2)0x7e00u;
}
/* As NumPy does it since 2.5: from one zero to the other. */
static inline pf_f2 pf_nextafter_signed_f2(pf_f2 a, pf_f2 b, unsigned *status)
{
    return ((a | b) & 0x7fff) == 0 ? b : pf_nextafter_f2(a, b, status);
}
/* Above the power of two that a negative a may be, the distance is that of the lower binade: NumPy looks upwards. */
static inline pf_f2 pf_spacing_f2(pf_f2 a, unsigned *status)
{
    const pf_u4 exponent = (a & 0x7c00u) >> 10, boundary = (a >> 15) & ((a & 0x3ffu) == 0);
    const pf_u4 shift = exponent > boundary + 1 ? exponent - boundary - 1 : 0;
    const pf_u4 distance = shift > 10 - 1 ? (shift - 9) << 10 : 1u << shift;
    const pf_b1 infinite = exponent == 31, last = a == 0x7bffu;
    *status |= (infinite ? PF_INVALID : 0) | (last ? PF_OVERFLOW : 0);
    return infinite ? (pf_f2)0x7e00u : last ? (pf_f2)0x7c00u : (pf_f2)distance;
}
