// Comparisons, logical functions and tests. `selection.c` has less and less_equal of floats; complex.c and half.c have
// their own. `==` and `!=` on floats are quiet, so only the order needs pf_less (docs/c-library.md, rule 6).

//@ for T in i1 i2 i4 i8 u1 u2 u4 u8
static inline pf_b1 pf_less_$T(pf_$T a, pf_$T b) { return a < b; }
static inline pf_b1 pf_less_equal_$T(pf_$T a, pf_$T b) { return a <= b; }
static inline pf_b1 pf_greater_$T(pf_$T a, pf_$T b) { return a > b; }
static inline pf_b1 pf_greater_equal_$T(pf_$T a, pf_$T b) { return a >= b; }
//@ end

static inline pf_b1 pf_less_b1(pf_b1 a, pf_b1 b) { return (a == 0) & (b != 0); }
static inline pf_b1 pf_less_equal_b1(pf_b1 a, pf_b1 b) { return (a == 0) | (b != 0); }
static inline pf_b1 pf_greater_b1(pf_b1 a, pf_b1 b) { return (a != 0) & (b == 0); }
static inline pf_b1 pf_greater_equal_b1(pf_b1 a, pf_b1 b) { return (a != 0) | (b == 0); }
static inline pf_b1 pf_equal_b1(pf_b1 a, pf_b1 b) { return (a != 0) == (b != 0); }
static inline pf_b1 pf_not_equal_b1(pf_b1 a, pf_b1 b) { return (a != 0) != (b != 0); }

//@ for T in b1 i1 i2 i4 i8 u1 u2 u4 u8
// Of an integer that is made zero in a way that the compiler cannot see (c_text.py: HIDDEN_ZERO).
static inline pf_b1 pf_isnan_$T(pf_$T a) { return a != 0; }
static inline pf_b1 pf_isinf_$T(pf_$T a) { return a != 0; }
static inline pf_b1 pf_isfinite_$T(pf_$T a) { return a == 0; }
//@ end

//@ for T in f4 f8
static inline pf_b1 pf_greater_$T(pf_$T a, pf_$T b) { return pf_less_$T(b, a); }
/* All ones or zero; masks of the operands' width vectorise where combined truth values do not. */
static inline pf_$U pf_below_mask_$T(pf_$T a, pf_$T b)
{
    const pf_$U keep = pf_ordered_mask_$T(a, b);
    return -(pf_$U)(pf_from_bits_$T(pf_bits_$T(a) & keep) < pf_from_bits_$T(pf_bits_$T(b) & keep));
}
static inline pf_$U pf_at_most_mask_$T(pf_$T a, pf_$T b)
{
    const pf_$U keep = pf_ordered_mask_$T(a, b);
    return -(pf_$U)(pf_from_bits_$T(pf_bits_$T(a) & keep) <= pf_from_bits_$T(pf_bits_$T(b) & keep)) & keep;
}
static inline pf_b1 pf_greater_equal_$T(pf_$T a, pf_$T b) { return (pf_b1)(pf_at_most_mask_$T(b, a) & 1); }
static inline pf_b1 pf_isnan_$T(pf_$T a) { return a != a; }
//@ end

// Of the bits: gcc turns fabs(a) == infinity into an order, which is not quiet.

static inline pf_b1 pf_isinf_f4(pf_f4 a) { return (pf_bits_f4(a) & 0x7fffffffu) == 0x7f800000u; }
static inline pf_b1 pf_isinf_f8(pf_f8 a) { return (pf_bits_f8(a) & 0x7fffffffffffffffull) == 0x7ff0000000000000ull; }
static inline pf_b1 pf_isfinite_f4(pf_f4 a) { return (pf_bits_f4(a) & 0x7f800000u) != 0x7f800000u; }
static inline pf_b1 pf_isfinite_f8(pf_f8 a) { return (pf_bits_f8(a) & 0x7ff0000000000000ull) != 0x7ff0000000000000ull; }
static inline pf_b1 pf_signbit_f4(pf_f4 a) { return (pf_b1)(pf_bits_f4(a) >> 31); }
static inline pf_b1 pf_signbit_f8(pf_f8 a) { return (pf_b1)(pf_bits_f8(a) >> 63); }

//@ for T in i1 i2 i4 i8 u1 u2 u4 u8 f4 f8
static inline pf_b1 pf_equal_$T(pf_$T a, pf_$T b) { return a == b; }
static inline pf_b1 pf_not_equal_$T(pf_$T a, pf_$T b) { return a != b; }
//@ end

//@ for T in b1 i1 i2 i4 i8 u1 u2 u4 u8 f4 f8
static inline pf_b1 pf_logical_and_$T(pf_$T a, pf_$T b) { return (a != 0) & (b != 0); }
static inline pf_b1 pf_logical_or_$T(pf_$T a, pf_$T b) { return (a != 0) | (b != 0); }
static inline pf_b1 pf_logical_xor_$T(pf_$T a, pf_$T b) { return (a != 0) ^ (b != 0); }
static inline pf_b1 pf_logical_not_$T(pf_$T a) { return a == 0; }
//@ end

// Signed with unsigned 64-bit integers: compared as the whole numbers that they are.

static inline pf_b1 pf_equal_i8u8(pf_i8 a, pf_u8 b) { return (a >= 0) & ((pf_u8)a == b); }
static inline pf_b1 pf_not_equal_i8u8(pf_i8 a, pf_u8 b) { return (a < 0) | ((pf_u8)a != b); }
static inline pf_b1 pf_less_i8u8(pf_i8 a, pf_u8 b) { return (a < 0) | ((pf_u8)a < b); }
static inline pf_b1 pf_less_equal_i8u8(pf_i8 a, pf_u8 b) { return (a < 0) | ((pf_u8)a <= b); }
static inline pf_b1 pf_greater_i8u8(pf_i8 a, pf_u8 b) { return (a >= 0) & ((pf_u8)a > b); }
static inline pf_b1 pf_greater_equal_i8u8(pf_i8 a, pf_u8 b) { return (a >= 0) & ((pf_u8)a >= b); }
static inline pf_b1 pf_equal_u8i8(pf_u8 a, pf_i8 b) { return pf_equal_i8u8(b, a); }
static inline pf_b1 pf_not_equal_u8i8(pf_u8 a, pf_i8 b) { return pf_not_equal_i8u8(b, a); }
static inline pf_b1 pf_less_u8i8(pf_u8 a, pf_i8 b) { return pf_greater_i8u8(b, a); }
static inline pf_b1 pf_less_equal_u8i8(pf_u8 a, pf_i8 b) { return pf_greater_equal_i8u8(b, a); }
static inline pf_b1 pf_greater_u8i8(pf_u8 a, pf_i8 b) { return pf_less_i8u8(b, a); }
static inline pf_b1 pf_greater_equal_u8i8(pf_u8 a, pf_i8 b) { return pf_less_equal_i8u8(b, a); }
