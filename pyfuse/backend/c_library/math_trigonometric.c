// Trigonometric functions and their inverses, named after NumPy's ufuncs; see math_f8.c for the conventions.

// sin and cos of |x| < 2^24: |x| = n pi/2 + (r + tail), pi/2 in three parts (the second of 27 bits, so that its product
// with n is exact), then the polynomials of fdlibm's shape on |r| <= pi/4: sin of quadrant n, or cos as quadrant n + 1.
// A NaN or an infinity flows through (inf - inf raises invalid). Max error 0.8x.
static inline pf_f8 pf_sin_quadrant_f8(pf_f8 magnitude, pf_u8 ahead, pf_u8 sign)
{
    pf_f8 shifted = __builtin_fma(magnitude, 0x1.45f306dc9c883p-1, 0x1.8p52);
    pf_f8 n = shifted - 0x1.8p52;
    pf_u8 quadrant = pf_bits_f8(shifted) + ahead;
    pf_f8 exact = __builtin_fma(n, -0x1.921fb54442d18p+0, magnitude);
    pf_f8 r = __builtin_fma(n, -0x1.1a62634000000p-54, exact);
    pf_f8 tail = __builtin_fma(n, -0x1.1a62634000000p-54, exact - r);
    tail = __builtin_fma(n, 0x1.d747f23e32ed7p-83, tail);
    pf_f8 z = __builtin_fma(r, r, 0x1p-64), w = z * z;  // the 2^-64 keeps the square of a tiny r from underflowing
    pf_f8 s = __builtin_fma(z, 0x1.5d930aca6e016p-33, -0x1.ae5e66c35b712p-26);
    s = __builtin_fma(s, w, __builtin_fma(z, 0x1.71de357910a72p-19, -0x1.a01a019c143bcp-13));
    s = __builtin_fma(s, w, __builtin_fma(z, 0x1.111111110f89dp-7, -0x1.5555555555549p-3));
    pf_f8 c = __builtin_fma(z, -0x1.8fb0a70a25cc6p-37, 0x1.1ee9f06bef922p-29);
    c = __builtin_fma(c, w, __builtin_fma(z, -0x1.27e4f8119f4e4p-22, 0x1.a01a019cbe42bp-16));
    c = __builtin_fma(c, w, __builtin_fma(z, -0x1.6c16c16c15218p-10, 0x1.555555555554cp-5));
    pf_f8 half = 0.5 * z, near = 1.0 - half;
    pf_f8 sine = r + __builtin_fma(r, z * s, tail * near);
    pf_f8 cosine = near + (((1.0 - near) - half) + __builtin_fma(w, c, -r * tail));
    pf_u8 odd = -(quadrant & 1);
    pf_u8 bits = (pf_bits_f8(cosine) & odd) | (pf_bits_f8(sine) & ~odd);
    return pf_from_bits_f8(bits ^ ((quadrant << 62) & 0x8000000000000000ULL) ^ sign);
}
extern double pf_libm_sin(double) __asm__("sin");
static inline pf_f8 pf_sin_f8(pf_f8 x, unsigned *status, const int careful)
{
    pf_i8 size = pf_magnitude_f8(x);
    pf_b1 far = (size >= 0x4170000000000000LL) & (size < 0x7ff0000000000000LL);
    if (careful) {
        if (far)
            return pf_libm_sin(x);
    } else {
        *status |= -(unsigned)far & PF_CAREFUL;
    }
    return pf_sin_quadrant_f8(pf_select_f8(far, 0.0, pf_from_bits_f8((pf_u8)size)), 0, pf_bits_f8(x) & 0x8000000000000000ULL);
}

extern double pf_libm_cos(double) __asm__("cos");
static inline pf_f8 pf_cos_f8(pf_f8 x, unsigned *status, const int careful)
{
    pf_i8 size = pf_magnitude_f8(x);
    pf_b1 far = (size >= 0x4170000000000000LL) & (size < 0x7ff0000000000000LL);
    if (careful) {
        if (far)
            return pf_libm_cos(x);
    } else {
        *status |= -(unsigned)far & PF_CAREFUL;
    }
    return pf_sin_quadrant_f8(pf_select_f8(far, 0.0, pf_from_bits_f8((pf_u8)size)), 1, 0);
}

// The same for float, in double: pi/2 in two parts serves |x| < 2^30. 2^-40 in place of a vanishing square costs nothing
// in float and makes a subnormal result inexact, as it is. Max error 0.6.
static inline pf_f4 pf_sin_quadrant_f4(pf_f4 magnitude, pf_u8 ahead)
{
    pf_f8 shifted = __builtin_fma((pf_f8)magnitude, 0x1.45f306dc9c883p-1, 0x1.8p52);
    pf_f8 n = shifted - 0x1.8p52;
    pf_u8 quadrant = pf_bits_f8(shifted) + ahead;
    pf_f8 r = __builtin_fma(n, -0x1.921fb54442d18p+0, (pf_f8)magnitude);
    r = __builtin_fma(n, -0x1.1a62633145c07p-54, r);
    pf_f8 z = __builtin_fma(r, r, 0x1p-40);
    pf_f8 s = __builtin_fma(z, __builtin_fma(z, -0x1.994d0298eb402p-13, 0x1.11075b8375dc1p-7), -0x1.5555458dac975p-3);
    pf_f8 sine = __builtin_fma(r, z * s, r);
    pf_f8 c = __builtin_fma(z, __builtin_fma(z, 0x1.9a011ac645addp-16, -0x1.6c0c878c5f10bp-10), 0x1.55554aad838cap-5);
    pf_f8 cosine = __builtin_fma(z, __builtin_fma(z, c, -0.5), 1.0);
    pf_u8 odd = -(quadrant & 1);
    pf_u8 bits = (pf_bits_f8(cosine) & odd) | (pf_bits_f8(sine) & ~odd);
    return (pf_f4)pf_from_bits_f8(bits ^ ((quadrant << 62) & 0x8000000000000000ULL));
}
extern float pf_libm_sinf(float) __asm__("sinf");
static inline pf_f4 pf_sin_f4(pf_f4 x, unsigned *status, const int careful)
{
    pf_i4 size = pf_magnitude_f4(x);
    pf_b1 far = (size >= 0x4e800000) & (size < 0x7f800000);
    if (careful) {
        if (far)
            return pf_libm_sinf(x);
    } else {
        *status |= -(unsigned)far & PF_CAREFUL;
    }
    pf_f4 result = pf_sin_quadrant_f4(pf_select_f4(far, 0.0f, pf_from_bits_f4((pf_u4)size)), 0);
    return pf_from_bits_f4(pf_bits_f4(result) ^ (pf_bits_f4(x) & 0x80000000U));
}

extern float pf_libm_cosf(float) __asm__("cosf");
static inline pf_f4 pf_cos_f4(pf_f4 x, unsigned *status, const int careful)
{
    pf_i4 size = pf_magnitude_f4(x);
    pf_b1 far = (size >= 0x4e800000) & (size < 0x7f800000);
    if (careful) {
        if (far)
            return pf_libm_cosf(x);
    } else {
        *status |= -(unsigned)far & PF_CAREFUL;
    }
    return pf_sin_quadrant_f4(pf_select_f4(far, 0.0f, pf_from_bits_f4((pf_u4)size)), 1);
}

