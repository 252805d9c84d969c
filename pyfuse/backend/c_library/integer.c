// Integer and boolean operations as NumPy's loops compute them: results wrap, and what NumPy reports through its
// floating-point flags (division by zero, the smallest integer divided by -1) is set in *status.

//@ for T in i1 i2 i4 i8 u1 u2 u4 u8
static inline pf_$T pf_add_$T(pf_$T a, pf_$T b) { return (pf_$T)((pf_$U)a + (pf_$U)b); }
static inline pf_$T pf_subtract_$T(pf_$T a, pf_$T b) { return (pf_$T)((pf_$U)a - (pf_$U)b); }
static inline pf_$T pf_multiply_$T(pf_$T a, pf_$T b) { return (pf_$T)((pf_$U)a * (pf_$U)b); }
static inline pf_$T pf_negative_$T(pf_$T a) { return (pf_$T)(0 - (pf_$U)a); }
static inline pf_$T pf_positive_$T(pf_$T a) { return a; }
static inline pf_$T pf_conjugate_$T(pf_$T a) { return a; }
static inline pf_$T pf_square_$T(pf_$T a) { return (pf_$T)((pf_$U)a * (pf_$U)a); }
static inline pf_$T pf_bitwise_and_$T(pf_$T a, pf_$T b) { return a & b; }
static inline pf_$T pf_bitwise_or_$T(pf_$T a, pf_$T b) { return a | b; }
static inline pf_$T pf_bitwise_xor_$T(pf_$T a, pf_$T b) { return a ^ b; }
static inline pf_$T pf_invert_$T(pf_$T a) { return (pf_$T)~a; }
static inline pf_$T pf_maximum_$T(pf_$T a, pf_$T b) { return a > b ? a : b; }
static inline pf_$T pf_minimum_$T(pf_$T a, pf_$T b) { return a < b ? a : b; }
static inline pf_$T pf_fmax_$T(pf_$T a, pf_$T b) { return a > b ? a : b; }
static inline pf_$T pf_fmin_$T(pf_$T a, pf_$T b) { return a < b ? a : b; }
static inline pf_$T pf_floor_$T(pf_$T a) { return a; }
static inline pf_$T pf_ceil_$T(pf_$T a) { return a; }
static inline pf_$T pf_trunc_$T(pf_$T a) { return a; }
/* All ones or zero. A divisor guarded with masks stays guarded; gcc undoes `zero ? 0 : a / (zero ? 1 : b)`. */
static inline pf_$T pf_mask_$T(pf_b1 condition) { return (pf_$T)-(pf_$T)condition; }
/* A shift by at least the width, or by a negative count, moves every bit out. */
static inline pf_$T pf_left_shift_$T(pf_$T a, pf_$T b)
{
    return (pf_$U)b < $BITS ? (pf_$T)((pf_$U)a << (b & ($BITS - 1))) : (pf_$T)0;
}
/* C's sequence for the power by repeated squaring; every product wraps, so the order does not matter. */
static inline pf_$T pf_power_loop_$T(pf_$T base, pf_$U exponent)
{
    pf_$U square = (pf_$U)base, result = 1;
    while (exponent) {
        result = (pf_$U)((exponent & 1) ? result * square : result);
        square = (pf_$U)(square * square);
        exponent >>= 1;
    }
    return (pf_$T)result;
}
/* Vectorises, unlike __builtin_popcount (before AVX-512), which gcc makes of the usual last step, a multiplication. */
static inline pf_u1 pf_count_bits_$T(pf_$U bits)
{
    const pf_$U ones = (pf_$U)~(pf_$U)0;
    bits = (pf_$U)(bits - ((bits >> 1) & (ones / 3)));
    bits = (pf_$U)((bits & (ones / 5)) + ((bits >> 2) & (ones / 5)));
    bits = (pf_$U)((bits + (bits >> 4)) & (ones / 17));
    for (int width = 8; width < $BITS; width *= 2)
        bits = (pf_$U)(bits + (bits >> width));
    return (pf_u1)(bits & 0x7f);
}
static inline pf_$U pf_gcd_loop_$T(pf_$U a, pf_$U b)
{
    while (a != 0) {
        pf_$U rest = b % a;
        b = a;
        a = rest;
    }
    return b;
}
//@ end

//@ for T in i1 i2 i4 i8
static inline pf_$T pf_absolute_$T(pf_$T a)
{
    const pf_$U sign = (pf_$U)-(pf_$U)(a < 0);
    return (pf_$T)(pf_$U)(((pf_$U)a ^ sign) - sign);
}
static inline pf_$T pf_sign_$T(pf_$T a) { return (pf_$T)((a > 0) - (a < 0)); }
static inline pf_u1 pf_bitwise_count_$T(pf_$T a) { return pf_count_bits_$T((pf_$U)pf_absolute_$T(a)); }
/* An over-wide or negative count leaves the sign bit everywhere. (Narrow signed shifts do not vectorise.) */
static inline pf_$T pf_right_shift_$T(pf_$T a, pf_$T b)
{
    const pf_$U sign = (pf_$U)-(pf_$U)(a < 0), distance = (pf_$U)a ^ sign;
    return (pf_$T)(((pf_$U)b < $BITS ? (pf_$U)(distance >> (b & ($BITS - 1))) : 0) ^ sign);
}
static inline pf_$T pf_power_$T(pf_$T a, pf_$T b, unsigned *status)
{
    *status |= b < 0 ? PF_REPLAY : 0;
    return pf_power_loop_$T(a, (pf_$U)(b < 0 ? 0 : b));
}
static inline pf_$T pf_gcd_$T(pf_$T a, pf_$T b)
{
    return (pf_$T)pf_gcd_loop_$T((pf_$U)pf_absolute_$T(a), (pf_$U)pf_absolute_$T(b));
}
static inline pf_$T pf_lcm_$T(pf_$T a, pf_$T b)
{
    pf_$U left = (pf_$U)pf_absolute_$T(a), right = (pf_$U)pf_absolute_$T(b), divisor = pf_gcd_loop_$T(left, right);
    return (pf_$T)(divisor == 0 ? 0 : left / divisor * right);
}
//@ end

//@ for T in u1 u2 u4 u8
static inline pf_$T pf_absolute_$T(pf_$T a) { return a; }
static inline pf_$T pf_sign_$T(pf_$T a) { return a != 0; }
static inline pf_u1 pf_bitwise_count_$T(pf_$T a) { return pf_count_bits_$T(a); }
static inline pf_$T pf_right_shift_$T(pf_$T a, pf_$T b) { return b < $BITS ? (pf_$T)(a >> (b & ($BITS - 1))) : 0; }
static inline pf_$T pf_power_$T(pf_$T a, pf_$T b) { return pf_power_loop_$T(a, b); }
static inline pf_$T pf_gcd_$T(pf_$T a, pf_$T b) { return pf_gcd_loop_$T(a, b); }
static inline pf_$T pf_lcm_$T(pf_$T a, pf_$T b)
{
    const pf_$T divisor = pf_gcd_loop_$T(a, b);
    return (pf_$T)(divisor == 0 ? 0 : a / divisor * (pf_u8)b);
}
//@ end

// Division. No vector unit divides integers, so they divide as floating-point numbers: a quotient of integers that is
// not whole is further from a whole number than rounding moves it, if float holds both integers (16 bits) or double
// does (32 bits; 64-bit integers below 2^51, larger ones take the careful road).

/* Rounded towards zero, for a divisor that is not 0 (nor -1 under the smallest integer). */
//@ for T in i1 i2 u1 u2
static inline pf_$T pf_divide_truncate_$T(pf_$T a, pf_$T b)
{
    return (pf_$T)(pf_i4)((float)(pf_i4)a / (float)(pf_i4)b);
}
//@ end
static inline pf_i4 pf_divide_truncate_i4(pf_i4 a, pf_i4 b) { return (pf_i4)((double)a / (double)b); }
/* 2^52 is added to bring the whole number into the low bits. */
static inline pf_u4 pf_divide_truncate_u4(pf_u4 a, pf_u4 b)
{
    return (pf_u4)pf_bits_f8(__builtin_floor((double)a / (double)b) + 0x1p52);
}
static inline pf_i8 pf_divide_small_i8(pf_i8 a, pf_i8 b)
{
    const pf_f8 numerator = pf_from_bits_f8((pf_u8)a + 0x4338000000000000ull) - 0x1.8p52;
    const pf_f8 denominator = pf_from_bits_f8((pf_u8)b + 0x4338000000000000ull) - 0x1.8p52;
    return (pf_i8)(pf_bits_f8(__builtin_trunc(numerator / denominator) + 0x1.8p52) - 0x4338000000000000ull);
}
static inline pf_i8 pf_divide_truncate_i8(pf_i8 a, pf_i8 b, unsigned *status, const int careful)
{
    if (careful)
        return a / b;
    const pf_i8 limit = 1ll << 51;
    const pf_b1 large = (a >= limit) | (a <= -limit) | (b >= limit) | (b <= -limit);
    *status |= large ? PF_CAREFUL : 0;
    return pf_divide_small_i8(a & ~pf_mask_i8(large), (b & ~pf_mask_i8(large)) | large);
}
static inline pf_u8 pf_divide_truncate_u8(pf_u8 a, pf_u8 b, unsigned *status, const int careful)
{
    if (careful)
        return a / b;
    const pf_b1 large = ((a | b) >> 51) != 0;
    *status |= large ? PF_CAREFUL : 0;
    return (pf_u8)pf_divide_small_i8((pf_i8)(a & ~pf_mask_u8(large)), (pf_i8)((b & ~pf_mask_u8(large)) | large));
}

//@ for T in i1 i2 i4
static inline pf_$T pf_floor_divide_$T(pf_$T a, pf_$T b, unsigned *status)
{
    const pf_b1 zero = b == 0, overflow = (a == $MIN) & (b == -1);
    const pf_$T divisor = (pf_$T)((b & ~pf_mask_$T(overflow)) | (zero | overflow));
    const pf_$T quotient = pf_divide_truncate_$T(a, divisor);
    const pf_b1 down = ((pf_$T)(quotient * divisor) != a) & ((pf_$T)(a ^ divisor) < 0);
    *status |= (zero ? PF_DIVIDE : 0) | (overflow ? PF_OVERFLOW : 0);
    return (pf_$T)(quotient - down) & ~pf_mask_$T(zero);
}
static inline pf_$T pf_fmod_$T(pf_$T a, pf_$T b, unsigned *status)
{
    const pf_b1 zero = b == 0, unsafe = zero | (b == -1);
    const pf_$T divisor = (pf_$T)((b & ~pf_mask_$T(unsafe)) | unsafe);
    *status |= zero ? PF_DIVIDE : 0;
    return (pf_$T)(a - pf_divide_truncate_$T(a, divisor) * divisor);
}
static inline pf_$T pf_remainder_$T(pf_$T a, pf_$T b, unsigned *status)
{
    const pf_$T rest = pf_fmod_$T(a, b, status);
    return (pf_$T)(rest + ((rest != 0) & ((pf_$T)(rest ^ b) < 0) ? b : 0));
}
static inline pf_$T pf_divmod_$T(pf_$T a, pf_$T b, pf_$T *second, unsigned *status)
{
    const pf_$T quotient = pf_floor_divide_$T(a, b, status);
    *second = (pf_$T)((pf_$U)a - (pf_$U)quotient * (pf_$U)b) & ~pf_mask_$T(b == 0);
    return quotient;
}
//@ end

//@ for T in i8
static inline pf_$T pf_floor_divide_$T(pf_$T a, pf_$T b, unsigned *status, const int careful)
{
    const pf_b1 zero = b == 0, overflow = (a == $MIN) & (b == -1);
    const pf_$T divisor = (pf_$T)((b & ~pf_mask_$T(overflow)) | (zero | overflow));
    const pf_$T quotient = pf_divide_truncate_$T(a, divisor, status, careful);
    const pf_b1 down = ((pf_$T)(quotient * divisor) != a) & ((pf_$T)(a ^ divisor) < 0);
    *status |= (zero ? PF_DIVIDE : 0) | (overflow ? PF_OVERFLOW : 0);
    return (pf_$T)(quotient - down) & ~pf_mask_$T(zero);
}
static inline pf_$T pf_fmod_$T(pf_$T a, pf_$T b, unsigned *status, const int careful)
{
    const pf_b1 zero = b == 0, unsafe = zero | (b == -1);
    const pf_$T divisor = (pf_$T)((b & ~pf_mask_$T(unsafe)) | unsafe);
    *status |= zero ? PF_DIVIDE : 0;
    return (pf_$T)(a - pf_divide_truncate_$T(a, divisor, status, careful) * divisor);
}
static inline pf_$T pf_remainder_$T(pf_$T a, pf_$T b, unsigned *status, const int careful)
{
    const pf_$T rest = pf_fmod_$T(a, b, status, careful);
    return (pf_$T)(rest + ((rest != 0) & ((pf_$T)(rest ^ b) < 0) ? b : 0));
}
static inline pf_$T pf_divmod_$T(pf_$T a, pf_$T b, pf_$T *second, unsigned *status, const int careful)
{
    const pf_$T quotient = pf_floor_divide_$T(a, b, status, careful);
    *second = (pf_$T)((pf_$U)a - (pf_$U)quotient * (pf_$U)b) & ~pf_mask_$T(b == 0);
    return quotient;
}
//@ end

//@ for T in u1 u2 u4
static inline pf_$T pf_floor_divide_$T(pf_$T a, pf_$T b, unsigned *status)
{
    const pf_b1 zero = b == 0;
    *status |= zero ? PF_DIVIDE : 0;
    return pf_divide_truncate_$T(a, b | zero) & ~pf_mask_$T(zero);
}
static inline pf_$T pf_fmod_$T(pf_$T a, pf_$T b, unsigned *status)
{
    const pf_b1 zero = b == 0;
    const pf_$T divisor = b | zero;
    *status |= zero ? PF_DIVIDE : 0;
    return (pf_$T)(a - pf_divide_truncate_$T(a, divisor) * divisor);
}
static inline pf_$T pf_remainder_$T(pf_$T a, pf_$T b, unsigned *status) { return pf_fmod_$T(a, b, status); }
static inline pf_$T pf_divmod_$T(pf_$T a, pf_$T b, pf_$T *second, unsigned *status)
{
    *second = pf_fmod_$T(a, b, status);
    return pf_floor_divide_$T(a, b, status);
}
//@ end

//@ for T in u8
static inline pf_$T pf_floor_divide_$T(pf_$T a, pf_$T b, unsigned *status, const int careful)
{
    const pf_b1 zero = b == 0;
    *status |= zero ? PF_DIVIDE : 0;
    return pf_divide_truncate_$T(a, b | zero, status, careful) & ~pf_mask_$T(zero);
}
static inline pf_$T pf_fmod_$T(pf_$T a, pf_$T b, unsigned *status, const int careful)
{
    const pf_b1 zero = b == 0;
    const pf_$T divisor = b | zero;
    *status |= zero ? PF_DIVIDE : 0;
    return (pf_$T)(a - pf_divide_truncate_$T(a, divisor, status, careful) * divisor);
}
static inline pf_$T pf_remainder_$T(pf_$T a, pf_$T b, unsigned *status, const int careful)
{
    return pf_fmod_$T(a, b, status, careful);
}
static inline pf_$T pf_divmod_$T(pf_$T a, pf_$T b, pf_$T *second, unsigned *status, const int careful)
{
    *second = pf_fmod_$T(a, b, status, careful);
    return pf_floor_divide_$T(a, b, status, careful);
}
//@ end

// 1 / 0 is converted from an infinity: NumPy reports both the division and the conversion.

//@ for T in i4 i8
static inline pf_$T pf_reciprocal_$T(pf_$T a, unsigned *status)
{
    *status |= a == 0 ? PF_DIVIDE | PF_INVALID : 0;
    return a == 0 ? $MIN : (a == 1) - (a == -1);
}
//@ end

//@ for T in i1 i2
static inline pf_$T pf_reciprocal_$T(pf_$T a, unsigned *status)
{
    *status |= a == 0 ? PF_DIVIDE | PF_INVALID : 0;
    return (pf_$T)((a == 1) - (a == -1));
}
//@ end

//@ for T in u1 u2 u4 u8
static inline pf_$T pf_reciprocal_$T(pf_$T a, unsigned *status)
{
    *status |= a == 0 ? PF_DIVIDE | PF_INVALID : 0;
    return a == 1;
}
//@ end

// Booleans: NumPy adds with "or" and multiplies with "and"; there is no subtraction. Any non-zero byte counts as true.

static inline pf_b1 pf_add_b1(pf_b1 a, pf_b1 b) { return (a | b) != 0; }
static inline pf_b1 pf_multiply_b1(pf_b1 a, pf_b1 b) { return (a != 0) & (b != 0); }
static inline pf_b1 pf_maximum_b1(pf_b1 a, pf_b1 b) { return (a | b) != 0; }
static inline pf_b1 pf_minimum_b1(pf_b1 a, pf_b1 b) { return (a != 0) & (b != 0); }
static inline pf_b1 pf_fmax_b1(pf_b1 a, pf_b1 b) { return (a | b) != 0; }
static inline pf_b1 pf_fmin_b1(pf_b1 a, pf_b1 b) { return (a != 0) & (b != 0); }
static inline pf_b1 pf_bitwise_and_b1(pf_b1 a, pf_b1 b) { return (a != 0) & (b != 0); }
static inline pf_b1 pf_bitwise_or_b1(pf_b1 a, pf_b1 b) { return (a | b) != 0; }
static inline pf_b1 pf_bitwise_xor_b1(pf_b1 a, pf_b1 b) { return (a != 0) ^ (b != 0); }
static inline pf_b1 pf_invert_b1(pf_b1 a) { return a == 0; }
static inline pf_b1 pf_absolute_b1(pf_b1 a) { return a != 0; }
static inline pf_b1 pf_floor_b1(pf_b1 a) { return a; }
static inline pf_b1 pf_ceil_b1(pf_b1 a) { return a; }
static inline pf_b1 pf_trunc_b1(pf_b1 a) { return a; }
