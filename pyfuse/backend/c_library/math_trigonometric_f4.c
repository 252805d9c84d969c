// Trigonometric functions of float and their inverses, named after NumPy's ufuncs; see math_f8.c for the conventions.
// All in float but tan, whose two roundings beside a pole would be too many; arctan2 goes through double (math_f4.c).
// Coefficients as in math_f4.c.

// magnitude = n pi/2 + r for 0 <= magnitude < 2^18, pi/2 in three floats, |r| <= 0.796: the first product is exact,
// and what r keeps of the other two is half a unit each. sin of quadrant n, or cos as that of quadrant n + 1. 2^-40
// in place of a vanishing square costs nothing in float and makes a subnormal result inexact, as it is. Max error
// 1.6.
static inline __attribute__((always_inline)) pf_f4 pf_sin_quadrant_f4(pf_f4 magnitude, pf_u4 ahead, pf_u4 sign)
{
    pf_f4 shifted = __builtin_fmaf(magnitude, 0x1.45f306p-1f, 0x1.8p23f), n = shifted - 0x1.8p23f;
    pf_f4 r = __builtin_fmaf(n, 0x1.777a5cp-25f, __builtin_fmaf(n, -0x1.921fb6p+0f, magnitude));
    r = __builtin_fmaf(n, 0x1.ee59dap-50f, r);
    pf_f4 z = __builtin_fmaf(r, r, 0x1p-40f);
    pf_f4 s = __builtin_fmaf(__builtin_fmaf(-0x1.99457ap-13f, z, 0x1.110766p-7f), z, -0x1.555546p-3f);
    pf_f4 sine = __builtin_fmaf(z * s, r, r);
    pf_f4 c = __builtin_fmaf(__builtin_fmaf(0x1.99d83ap-16f, z, -0x1.6c0c08p-10f), z, 0x1.55554ap-5f);
    pf_f4 cosine = __builtin_fmaf(__builtin_fmaf(c, z, -0.5f), z, 1.0f);
    pf_u4 quadrant = pf_bits_f4(shifted) + ahead, odd = -(quadrant & 1);
    pf_u4 bits = (pf_bits_f4(cosine) & odd) | (pf_bits_f4(sine) & ~odd);
    return pf_from_bits_f4(bits ^ ((quadrant << 30) & 0x80000000U) ^ sign);
}
extern float pf_libm_sinf(float) __asm__("sinf");
static inline __attribute__((always_inline)) pf_f4 pf_sin_f4(pf_f4 x, unsigned *status, const int careful)
{
    pf_i4 size = pf_size_f4(x);
    pf_b1 far = (size >= 0x48800000) & (size < 0x7f800000);
    if (careful) {
        if (far)
            return pf_libm_sinf(x);
    } else {
        *status |= -(unsigned)far & PF_CAREFUL;
    }
    pf_f4 magnitude = pf_select_f4(far, 0.0f, pf_from_bits_f4((pf_u4)size));
    return pf_sin_quadrant_f4(magnitude, 0, pf_bits_f4(x) & 0x80000000U);
}

extern float pf_libm_cosf(float) __asm__("cosf");
static inline __attribute__((always_inline)) pf_f4 pf_cos_f4(pf_f4 x, unsigned *status, const int careful)
{
    pf_i4 size = pf_size_f4(x);
    pf_b1 far = (size >= 0x48800000) & (size < 0x7f800000);
    if (careful) {
        if (far)
            return pf_libm_cosf(x);
    } else {
        *status |= -(unsigned)far & PF_CAREFUL;
    }
    size = size < 0x2b800000 ? 0x2b800000 : size;  // a subnormal's sine, which nobody reads, underflows
    return pf_sin_quadrant_f4(pf_select_f4(far, 1.0f, pf_from_bits_f4((pf_u4)size)), 1, 0);
}

// sin / cos of the same reduction in double, or -cos / sin: pi/2 in two parts serves |x| < 2^30. Max error 0.6.
static inline __attribute__((always_inline)) pf_f4 pf_tan_f4(pf_f4 x, unsigned *status, const int careful)
{
    pf_i4 size = pf_size_f4(x);
    pf_b1 far = (size >= 0x4e800000) & (size < 0x7f800000);
    if (careful) {
        if (far)
            return (pf_f4)pf_libm_tan(x);
    } else {
        *status |= -(unsigned)far & PF_CAREFUL;
    }
    pf_f8 magnitude = pf_select_f4(far, 0.0f, pf_from_bits_f4((pf_u4)size));
    pf_f8 shifted = __builtin_fma(magnitude, 0x1.45f306dc9c883p-1, 0x1.8p52), n = shifted - 0x1.8p52;
    pf_f8 r = __builtin_fma(n, -0x1.1a62633145c07p-54, __builtin_fma(n, -0x1.921fb54442d18p+0, magnitude));
    pf_f8 z = __builtin_fma(r, r, 0x1p-40);
    pf_f8 s = __builtin_fma(z, __builtin_fma(z, -0x1.994d0298eb402p-13, 0x1.11075b8375dc1p-7), -0x1.5555458dac975p-3);
    pf_f8 c = __builtin_fma(z, __builtin_fma(z, 0x1.9a011ac645addp-16, -0x1.6c0c878c5f10bp-10), 0x1.55554aad838cap-5);
    pf_f8 sine = __builtin_fma(r, z * s, r), cosine = __builtin_fma(z, __builtin_fma(z, c, -0.5), 1.0);
    pf_b1 odd = pf_bits_f8(shifted) & 1;
    pf_f4 quotient = pf_narrow_f4(pf_select_f8(odd, -cosine, sine) / pf_select_f8(odd, sine, cosine));
    return pf_from_bits_f4(pf_bits_f4(quotient) ^ (pf_bits_f4(x) & 0x80000000U));
}

// With z = x^2, asin = x + x z P(z) for |x| < 0.5415; beyond it z = (1 - |x|) / 2, s = sqrt(z), asin = pi/2 - 2 (s +
// s z P(z)), acos = 2 (s + s z P(z)): from 0.5403 on that sum is below 1/2, and so is its rounding error half a unit
// of the result. The square root makes NaN and the flag beyond 1, where nothing else may overflow. z P(z) is *factor,
// the root is returned. Max error of arcsin 1.3, of arccos 1.8.
static inline __attribute__((always_inline)) pf_f4 pf_arcsin_parts_f4(pf_f4 x, pf_f4 *factor)
{
    pf_u4 size = (pf_u4)pf_size_f4(x);
    pf_f4 a = pf_from_bits_f4(size), small = pf_from_bits_f4(size < 0x3f0a9fbeU ? size : 0x3f0a9fbeU);
    pf_f4 z = pf_select_f4(size < 0x3f0a9fbeU, __builtin_fmaf(small, small, 0x1p-40f), __builtin_fmaf(a, -0.5f, 0.5f));
    pf_u4 bits = pf_bits_f4(z);
    pf_f4 bounded = pf_from_bits_f4(bits < 0x3e96213aU ? bits : 0x3e96213aU), w = bounded * bounded;
    pf_f4 p = __builtin_fmaf(0x1.80323ep-5f, w, __builtin_fmaf(0x1.5ede44p-6f, bounded, 0x1.78fb78p-5f));
    *factor = bounded * __builtin_fmaf(p, w, __builtin_fmaf(0x1.32d606p-4f, bounded, 0x1.55564ap-3f));
    return __builtin_sqrtf(z);
}
static inline __attribute__((always_inline)) pf_f4 pf_arcsin_f4(pf_f4 x)
{
    pf_f4 factor, root = pf_arcsin_parts_f4(x, &factor);
    pf_u4 size = (pf_u4)pf_size_f4(x);
    pf_f4 a = pf_from_bits_f4(size < 0x3f0a9fbeU ? size : 0x3f0a9fbeU), near = __builtin_fmaf(a, factor, a);
    pf_f4 far = __builtin_fmaf(root + __builtin_fmaf(root, factor, 0x1.777a5cp-26f), -2.0f, 0x1.921fb6p+0f);
    return pf_with_sign_f4(pf_select_f4(size < 0x3f0a9fbeU, near, far), x);
}
static inline __attribute__((always_inline)) pf_f4 pf_arccos_f4(pf_f4 x)
{
    pf_f4 factor, root = pf_arcsin_parts_f4(x, &factor);
    pf_b1 small = pf_size_f4(x) < 0x3f0a9fbe;
    pf_u4 sign = pf_bits_f4(x) & 0x80000000U;
    // pi/2 - asin(x), or pi - 2 asin(root), or 0 + 2 asin(root)
    pf_f4 term = pf_select_f4(small, -x, pf_from_bits_f4(pf_bits_f4(2.0f * root) ^ sign));
    pf_f4 base = pf_select_f4(small, 0x1.921fb6p+0f, pf_from_bits_f4(0x40490fdbU & -(sign >> 31)));
    pf_f4 base_low = pf_select_f4(small, -0x1.777a5cp-25f, pf_from_bits_f4(0xb3bbbd2eU & -(sign >> 31)));
    return (base + term) + __builtin_fmaf(term, factor, base_low);
}

// t + t^3 P(t^2), t = |x|, or pi/2 minus that of t = 1 / |x| beyond 1. Max error 1.5.
static inline __attribute__((always_inline)) pf_f4 pf_arctan_f4(pf_f4 x)
{
    pf_i4 size = pf_size_f4(x);
    pf_b1 inverted = size > 0x3f800000, beyond = (size > 0x4e800000) & (size <= 0x7f800000);
    pf_f4 a = pf_select_f4(beyond, 0x1p30f, pf_from_bits_f4((pf_u4)size));  // where 1 / a would underflow
    pf_f4 t = pf_select_f4(inverted, 1.0f, a) / pf_select_f4(inverted, a, 1.0f);
    pf_f4 z = __builtin_fmaf(t, t, 0x1p-40f), w = z * z;
    pf_f4 p = __builtin_fmaf(0x1.8155aep-9f, z, -0x1.0db0ccp-6f);
    p = __builtin_fmaf(p, w, __builtin_fmaf(0x1.637896p-5f, z, -0x1.3615cp-4f));
    p = __builtin_fmaf(p, w, __builtin_fmaf(0x1.b54b6cp-4f, z, -0x1.231adap-3f));
    p = __builtin_fmaf(p, w, __builtin_fmaf(0x1.997b54p-3f, z, -0x1.5554eep-2f)) * z;
    pf_f4 far = 0x1.921fb6p+0f - (t + __builtin_fmaf(t, p, 0x1.777a5cp-25f));
    return pf_with_sign_f4(pf_select_f4(inverted, far, __builtin_fmaf(t, p, t)), x);
}
