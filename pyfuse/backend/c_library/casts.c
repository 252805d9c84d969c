// pf_cast_<to>_<from> as NumPy's casting loops on x86-64. Out-of-range conversions give what the hardware's truncating
// conversion gives ("indefinite", the smallest integer) and raise its invalid flag; half.c has the casts of halves from
// and to floats.

// Between integers, and from booleans.

//@ for T in i1 i2 i4 i8 u1 u2 u4 u8 f4 f8
static inline pf_$T pf_cast_$T_b1(pf_b1 a) { return a != 0; }
static inline pf_b1 pf_cast_b1_$T(pf_$T a) { return a != 0; }
//@ end

//@ for T in i1 i2 i4 i8 u1 u2 u4 u8
static inline pf_$T pf_cast_$T_i1(pf_i1 a) { return (pf_$T)a; }
static inline pf_$T pf_cast_$T_i2(pf_i2 a) { return (pf_$T)a; }
static inline pf_$T pf_cast_$T_i4(pf_i4 a) { return (pf_$T)a; }
static inline pf_$T pf_cast_$T_i8(pf_i8 a) { return (pf_$T)a; }
static inline pf_$T pf_cast_$T_u1(pf_u1 a) { return (pf_$T)a; }
static inline pf_$T pf_cast_$T_u2(pf_u2 a) { return (pf_$T)a; }
static inline pf_$T pf_cast_$T_u4(pf_u4 a) { return (pf_$T)a; }
static inline pf_$T pf_cast_$T_u8(pf_u8 a) { return (pf_$T)a; }
//@ end

// Integers to floats. AVX2 cannot convert 64-bit integers: their halves are put into the low bits of doubles that are
// large powers of two, and the sum rounds once.

//@ for T in i1 i2 i4 u1 u2 u4
static inline pf_f4 pf_cast_f4_$T(pf_$T a) { return (pf_f4)a; }
static inline pf_f8 pf_cast_f8_$T(pf_$T a) { return (pf_f8)a; }
//@ end
static inline pf_f8 pf_cast_f8_i8(pf_i8 a)
{
    const pf_f8 high = pf_from_bits_f8(((pf_u8)a >> 32) ^ 0x4530000080000000ull);
    const pf_f8 low = pf_from_bits_f8(((pf_u8)a & 0xffffffffu) | 0x4330000000000000ull);
    return (high - (0x1p84 + 0x1p63 + 0x1p52)) + low;
}
static inline pf_f8 pf_cast_f8_u8(pf_u8 a)
{
    const pf_f8 high = pf_from_bits_f8((a >> 32) | 0x4530000000000000ull);
    const pf_f8 low = pf_from_bits_f8((a & 0xffffffffu) | 0x4330000000000000ull);
    return (high - (0x1p84 + 0x1p52)) + low;
}
/* Through double without rounding twice: an integer too wide for a double keeps "some bit was lost" in its last bit. */
static inline pf_f4 pf_cast_f4_i8(pf_i8 a)
{
    const pf_i8 sticky = (a & ~0x7ffll) | ((a & 0x7ff) != 0 ? 0x800 : 0);
    return (pf_f4)pf_cast_f8_i8((a >= -0x20000000000000ll) & (a <= 0x20000000000000ll) ? a : sticky);
}
static inline pf_f4 pf_cast_f4_u8(pf_u8 a)
{
    const pf_u8 sticky = (a & ~0x7ffull) | ((a & 0x7ff) != 0 ? 0x800 : 0);
    return (pf_f4)pf_cast_f8_u8(a >> 53 ? sticky : a);
}

// Integers to halves go through float, as in NumPy.

static inline pf_f2 pf_cast_f2_b1(pf_b1 a) { return a != 0 ? 0x3c00u : 0; }
static inline pf_b1 pf_cast_b1_f2(pf_f2 a) { return (a & 0x7fffu) != 0; }

//@ for T in i1 i2 i4 i8 u1 u2 u4 u8
static inline pf_f2 pf_cast_f2_$T(pf_$T a, unsigned *status) { return pf_cast_f2_f4(pf_cast_f4_$T(a), status); }
//@ end

// Floats.

static inline pf_f8 pf_cast_f8_f4(pf_f4 a) { return (pf_f8)a; }
static inline pf_f4 pf_cast_f4_f8(pf_f8 a) { return (pf_f4)a; }

//@ for T in f2 f4 f8
static inline pf_$T pf_cast_$T_$T(pf_$T a) { return a; }
//@ end

// Floats to integers of at most 32 bits. Narrow ones are the low bits of a conversion to 32 bits. uint32 is special:
// NumPy's vector and scalar loops differ outside [-2^31, 2^32), so there the original must decide.

//@ for T in i1 i2 u1 u2
static inline pf_$T pf_cast_$T_f4(pf_f4 a) { return (pf_$T)(pf_i4)a; }
static inline pf_$T pf_cast_$T_f8(pf_f8 a) { return (pf_$T)(pf_i4)a; }
static inline pf_$T pf_cast_$T_f2(pf_f2 a) { return (pf_$T)(pf_i4)pf_cast_f4_f2(a); }
//@ end

/* The test keeps the conversion to int: gcc turns (double)(int)x into a truncation, which neither wraps nor reports. */
//@ for T in f4 f8
static inline pf_i4 pf_cast_i4_$T(pf_$T a, unsigned *status)
{
    const pf_i4 whole = (pf_i4)a;
    *status |= whole == -2147483647 - 1 ? PF_INVALID : 0;
    return whole;
}
//@ end
static inline pf_i4 pf_cast_i4_f2(pf_f2 a, unsigned *status) { return pf_cast_i4_f4(pf_cast_f4_f2(a), status); }
static inline pf_u4 pf_cast_u4_f8(pf_f8 a, unsigned *status)
{
    const pf_f8 whole = __builtin_trunc(a);
    const pf_u8 inside = pf_at_most_mask_f8(-0x1p31, whole) & pf_below_mask_f8(whole, 0x1p32);
    *status |= inside ? 0 : PF_REPLAY;
    return (pf_u4)pf_bits_f8(pf_keep_f8(inside, whole) + 0x1.8p52);
}
static inline pf_u4 pf_cast_u4_f4(pf_f4 a, unsigned *status) { return pf_cast_u4_f8((pf_f8)a, status); }
/* No half is out of range but the infinities; both loops give 0 for those and for NaN. */
static inline pf_u4 pf_cast_u4_f2(pf_f2 a, unsigned *status)
{
    const pf_f4 whole = pf_cast_f4_f2(a);
    const pf_u4 finite = -(pf_u4)(pf_magnitude_f4(whole) < 0x7f800000u);
    *status |= finite ? 0 : PF_INVALID;
    return (pf_u4)(pf_i4)pf_keep_f4(finite, whole);
}

// Floats to 64-bit integers: below 2^51 in the low bits of a double, beyond by the hardware's scalar conversion.

static inline pf_i8 pf_cast_i8_f8(pf_f8 a, unsigned *status, const int careful)
{
    if (careful)
        return (pf_i8)a;
    const pf_u8 inside = -(pf_u8)((pf_bits_f8(a) & 0x7fffffffffffffffull) < 0x4320000000000000ull);
    const pf_f8 whole = __builtin_trunc(pf_from_bits_f8(pf_bits_f8(a) & inside));
    *status |= inside ? 0 : PF_CAREFUL;
    return (pf_i8)(pf_bits_f8(whole + 0x1.8p52) - 0x4338000000000000ull);
}
/* From 2^63 on, and where nothing fits, NumPy's compiler subtracts 2^63 before converting and adds it after. */
static inline pf_u8 pf_cast_u8_f8(pf_f8 a, unsigned *status, const int careful)
{
    if (careful) {
        const pf_b1 upper = pf_less_equal_f8(0x1p63, a);
        return (pf_u8)(pf_i8)(upper ? a - 0x1p63 : a) ^ (pf_u8)upper << 63;
    }
    return (pf_u8)pf_cast_i8_f8(a, status, careful);
}

//@ for T in i8 u8
static inline pf_$T pf_cast_$T_f4(pf_f4 a, unsigned *status, const int careful)
{
    return pf_cast_$T_f8((pf_f8)a, status, careful);
}
static inline pf_$T pf_cast_$T_f2(pf_f2 a, unsigned *status, const int careful)
{
    return pf_cast_$T_f8(pf_cast_f8_f2(a), status, careful);
}
//@ end

// Complex: from real with a zero imaginary part; to real by dropping it (NumPy warns of that, which is seen to
// elsewhere); to bool when either part is not zero.

static inline pf_c8 pf_cast_c8_b1(pf_b1 a) { return (pf_c8){pf_cast_f4_b1(a), 0}; }
static inline pf_c8 pf_cast_c8_i1(pf_i1 a) { return (pf_c8){pf_cast_f4_i1(a), 0}; }
static inline pf_c8 pf_cast_c8_i2(pf_i2 a) { return (pf_c8){pf_cast_f4_i2(a), 0}; }
static inline pf_c8 pf_cast_c8_i4(pf_i4 a) { return (pf_c8){pf_cast_f4_i4(a), 0}; }
static inline pf_c8 pf_cast_c8_i8(pf_i8 a) { return (pf_c8){pf_cast_f4_i8(a), 0}; }
static inline pf_c8 pf_cast_c8_u1(pf_u1 a) { return (pf_c8){pf_cast_f4_u1(a), 0}; }
static inline pf_c8 pf_cast_c8_u2(pf_u2 a) { return (pf_c8){pf_cast_f4_u2(a), 0}; }
static inline pf_c8 pf_cast_c8_u4(pf_u4 a) { return (pf_c8){pf_cast_f4_u4(a), 0}; }
static inline pf_c8 pf_cast_c8_u8(pf_u8 a) { return (pf_c8){pf_cast_f4_u8(a), 0}; }
static inline pf_c8 pf_cast_c8_f2(pf_f2 a) { return (pf_c8){pf_cast_f4_f2(a), 0}; }
static inline pf_c8 pf_cast_c8_f4(pf_f4 a) { return (pf_c8){a, 0}; }
static inline pf_c8 pf_cast_c8_f8(pf_f8 a) { return (pf_c8){pf_cast_f4_f8(a), 0}; }
static inline pf_c16 pf_cast_c16_b1(pf_b1 a) { return (pf_c16){pf_cast_f8_b1(a), 0}; }
static inline pf_c16 pf_cast_c16_i1(pf_i1 a) { return (pf_c16){pf_cast_f8_i1(a), 0}; }
static inline pf_c16 pf_cast_c16_i2(pf_i2 a) { return (pf_c16){pf_cast_f8_i2(a), 0}; }
static inline pf_c16 pf_cast_c16_i4(pf_i4 a) { return (pf_c16){pf_cast_f8_i4(a), 0}; }
static inline pf_c16 pf_cast_c16_i8(pf_i8 a) { return (pf_c16){pf_cast_f8_i8(a), 0}; }
static inline pf_c16 pf_cast_c16_u1(pf_u1 a) { return (pf_c16){pf_cast_f8_u1(a), 0}; }
static inline pf_c16 pf_cast_c16_u2(pf_u2 a) { return (pf_c16){pf_cast_f8_u2(a), 0}; }
static inline pf_c16 pf_cast_c16_u4(pf_u4 a) { return (pf_c16){pf_cast_f8_u4(a), 0}; }
static inline pf_c16 pf_cast_c16_u8(pf_u8 a) { return (pf_c16){pf_cast_f8_u8(a), 0}; }
static inline pf_c16 pf_cast_c16_f2(pf_f2 a) { return (pf_c16){pf_cast_f8_f2(a), 0}; }
static inline pf_c16 pf_cast_c16_f4(pf_f4 a) { return (pf_c16){pf_cast_f8_f4(a), 0}; }
static inline pf_c16 pf_cast_c16_f8(pf_f8 a) { return (pf_c16){pf_cast_f8_f8(a), 0}; }
static inline pf_c8 pf_cast_c8_c8(pf_c8 a) { return a; }
static inline pf_c16 pf_cast_c16_c16(pf_c16 a) { return a; }
static inline pf_c16 pf_cast_c16_c8(pf_c8 a) { return (pf_c16){(pf_f8)a.re, (pf_f8)a.im}; }
static inline pf_c8 pf_cast_c8_c16(pf_c16 a) { return (pf_c8){(pf_f4)a.re, (pf_f4)a.im}; }

//@ for T in c8 c16
static inline pf_b1 pf_cast_b1_$T(pf_$T a) { return (a.re != 0) | (a.im != 0); }
static inline pf_i1 pf_cast_i1_$T(pf_$T a) { return pf_cast_i1_$F(a.re); }
static inline pf_i2 pf_cast_i2_$T(pf_$T a) { return pf_cast_i2_$F(a.re); }
static inline pf_i4 pf_cast_i4_$T(pf_$T a, unsigned *status) { return pf_cast_i4_$F(a.re, status); }
static inline pf_u1 pf_cast_u1_$T(pf_$T a) { return pf_cast_u1_$F(a.re); }
static inline pf_u2 pf_cast_u2_$T(pf_$T a) { return pf_cast_u2_$F(a.re); }
static inline pf_f4 pf_cast_f4_$T(pf_$T a) { return pf_cast_f4_$F(a.re); }
static inline pf_f8 pf_cast_f8_$T(pf_$T a) { return pf_cast_f8_$F(a.re); }
static inline pf_u4 pf_cast_u4_$T(pf_$T a, unsigned *status) { return pf_cast_u4_$F(a.re, status); }
static inline pf_f2 pf_cast_f2_$T(pf_$T a, unsigned *status) { return pf_cast_f2_$F(a.re, status); }
static inline pf_i8 pf_cast_i8_$T(pf_$T a, unsigned *status, const int careful)
{
    return pf_cast_i8_$F(a.re, status, careful);
}
static inline pf_u8 pf_cast_u8_$T(pf_$T a, unsigned *status, const int careful)
{
    return pf_cast_u8_$F(a.re, status, careful);
}
//@ end
