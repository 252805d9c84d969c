// Trigonometric functions and their inverses, named after NumPy's ufuncs; see math_f8.c for the conventions.

// magnitude = n pi/2 + (r + tail) for 0 <= magnitude < 2^24, |r| <= pi/4: pi/2 in three parts, the second of 27
// bits, so that its product with n is exact. A NaN or an infinity flows through (inf - inf raises invalid).
static inline __attribute__((always_inline)) pf_f8 pf_reduce_f8(pf_f8 magnitude, pf_f8 *tail, pf_u8 *quadrant)
{
    pf_f8 shifted = __builtin_fma(magnitude, 0x1.45f306dc9c883p-1, 0x1.8p52);
    pf_f8 n = shifted - 0x1.8p52;
    pf_f8 exact = __builtin_fma(n, -0x1.921fb54442d18p+0, magnitude);
    pf_f8 r = __builtin_fma(n, -0x1.1a62634000000p-54, exact);
    *tail = __builtin_fma(n, 0x1.d747f23e32ed7p-83, __builtin_fma(n, -0x1.1a62634000000p-54, exact - r));
    *quadrant = pf_bits_f8(shifted);
    return r;
}
// sin(r + tail) - r, and z = r^2 with a 2^-64 that keeps it from underflowing.
static inline __attribute__((always_inline)) pf_f8 pf_sin_rest_f8(pf_f8 r, pf_f8 tail, pf_f8 *square)
{
    pf_f8 z = __builtin_fma(r, r, 0x1p-64), w = z * z;
    pf_f8 s = __builtin_fma(z, 0x1.5d930aca6e016p-33, -0x1.ae5e66c35b712p-26);
    s = __builtin_fma(s, w, __builtin_fma(z, 0x1.71de357910a72p-19, -0x1.a01a019c143bcp-13));
    s = __builtin_fma(s, w, __builtin_fma(z, 0x1.111111110f89dp-7, -0x1.5555555555549p-3));
    *square = z;
    return __builtin_fma(r, z * s, tail * (1.0 - 0.5 * z));
}
// cos(r + tail) - (1 - z / 2).
static inline __attribute__((always_inline)) pf_f8 pf_cos_rest_f8(pf_f8 r, pf_f8 tail, pf_f8 z)
{
    pf_f8 w = z * z;
    pf_f8 c = __builtin_fma(z, -0x1.8fb0a70a25cc6p-37, 0x1.1ee9f06bef922p-29);
    c = __builtin_fma(c, w, __builtin_fma(z, -0x1.27e4f8119f4e4p-22, 0x1.a01a019cbe42bp-16));
    c = __builtin_fma(c, w, __builtin_fma(z, -0x1.6c16c16c15218p-10, 0x1.555555555554cp-5));
    return __builtin_fma(w, c, -r * tail);
}
// sin of quadrant n, or cos as that of quadrant n + 1; the sign bit is flipped by `sign`. Max error of sin 0.8, of
// cos 0.8.
static inline __attribute__((always_inline)) pf_f8 pf_sin_quadrant_f8(pf_f8 magnitude, pf_u8 ahead, pf_u8 sign)
{
    pf_f8 tail, z;
    pf_u8 quadrant;
    pf_f8 r = pf_reduce_f8(magnitude, &tail, &quadrant);
    pf_f8 sine = r + pf_sin_rest_f8(r, tail, &z);
    pf_f8 half = 0.5 * z, near = 1.0 - half;
    pf_f8 cosine = near + (((1.0 - near) - half) + pf_cos_rest_f8(r, tail, z));
    quadrant += ahead;
    pf_u8 odd = -(quadrant & 1);
    pf_u8 bits = (pf_bits_f8(cosine) & odd) | (pf_bits_f8(sine) & ~odd);
    return pf_from_bits_f8(bits ^ ((quadrant << 62) & 0x8000000000000000ULL) ^ sign);
}
extern double pf_libm_sin(double) __asm__("sin");
static inline __attribute__((always_inline)) pf_f8 pf_sin_f8(pf_f8 x, unsigned *status, const int careful)
{
    pf_i8 size = pf_size_f8(x);
    pf_b1 far = (size >= 0x4170000000000000LL) & (size < 0x7ff0000000000000LL);
    if (careful) {
        if (far)
            return pf_libm_sin(x);
    } else {
        *status |= -(unsigned)far & PF_CAREFUL;
    }
    pf_f8 magnitude = pf_select_f8(far, 0.0, pf_from_bits_f8((pf_u8)size));
    return pf_sin_quadrant_f8(magnitude, 0, pf_bits_f8(x) & 0x8000000000000000ULL);
}

extern double pf_libm_cos(double) __asm__("cos");
static inline __attribute__((always_inline)) pf_f8 pf_cos_f8(pf_f8 x, unsigned *status, const int careful)
{
    pf_i8 size = pf_size_f8(x);
    pf_b1 far = (size >= 0x4170000000000000LL) & (size < 0x7ff0000000000000LL);
    if (careful) {
        if (far)
            return pf_libm_cos(x);
    } else {
        *status |= -(unsigned)far & PF_CAREFUL;
    }
    return pf_sin_quadrant_f8(pf_select_f8(far, 0.0, pf_from_bits_f8((pf_u8)size)), 1, 0);
}

// tan of quadrant n of the same reduction: sin / cos, or -cos / sin, each with its rounding error, and the quotient
// corrected by its remainder. Max error 0.9.
extern double pf_libm_tan(double) __asm__("tan");
static inline __attribute__((always_inline)) pf_f8 pf_tan_f8(pf_f8 x, unsigned *status, const int careful)
{
    pf_i8 size = pf_size_f8(x);
    pf_b1 far = (size >= 0x4170000000000000LL) & (size < 0x7ff0000000000000LL);
    if (careful) {
        if (far)
            return pf_libm_tan(x);
    } else {
        *status |= -(unsigned)far & PF_CAREFUL;
    }
    pf_f8 magnitude = pf_select_f8(far, 0.0, pf_from_bits_f8((pf_u8)size));
    pf_f8 tail, z, s_low, c_low;
    pf_u8 quadrant;
    pf_f8 r = pf_reduce_f8(magnitude, &tail, &quadrant);
    s_low = pf_sin_rest_f8(r, tail, &z);
    c_low = pf_cos_rest_f8(r, tail, z);
    pf_f8 sine = r + s_low, half = 0.5 * z, near = 1.0 - half, cosine;
    s_low = (r - sine) + s_low;
    c_low = ((1.0 - near) - half) + c_low;
    cosine = near + c_low;
    c_low = (near - cosine) + c_low;
    pf_b1 odd = quadrant & 1;
    pf_f8 top = pf_select_f8(odd, -cosine, sine), top_low = pf_select_f8(odd, -c_low, s_low);
    pf_f8 bottom = pf_select_f8(odd, sine, cosine), bottom_low = pf_select_f8(odd, s_low, c_low);
    pf_f8 inverse = 1.0 / bottom, quotient = top * inverse;
    pf_f8 remainder = __builtin_fma(-quotient, bottom, top) + (top_low - quotient * bottom_low);
    quotient = __builtin_fma(remainder, inverse, quotient);
    return pf_from_bits_f8(pf_bits_f8(quotient) ^ (pf_bits_f8(x) & 0x8000000000000000ULL));
}

// The angle of (b, a) in the first quadrant, base + atan(t), base 0, pi/4 or pi/2, |t| <= tan(pi/8); with flip, pi
// minus it. pi/4 k in two parts. Max error of arctan 1.6, of arctan2 1.9.
static inline __attribute__((always_inline)) pf_f8 pf_angle_f8(pf_f8 a, pf_f8 b, pf_b1 flip)
{
    pf_b1 low = pf_bits_f8(a) <= pf_bits_f8(b * 0x1.a827999fcef32p-2);
    pf_b1 high = pf_bits_f8(b) <= pf_bits_f8(a * 0x1.a827999fcef32p-2);
    pf_f8 t = pf_select_f8(low, a, pf_select_f8(high, -b, a - b)) / pf_select_f8(low, b, pf_select_f8(high, a, a + b));
    pf_f8 k = pf_select_f8(low, 0.0, pf_select_f8(high, 2.0, 1.0));
    k = pf_select_f8(flip, 4.0 - k, k);
    pf_f8 base = k * 0x1.921fb54442d18p-1;
    pf_f8 base_low = __builtin_fma(k, 0x1.1a62633145c07p-55, __builtin_fma(k, 0x1.921fb54442d18p-1, -base));
    t = pf_from_bits_f8(pf_bits_f8(t) ^ ((pf_u8)(flip != 0) << 63));
    pf_f8 z = __builtin_fma(t, t, 0x1p-64), w = z * z;
    pf_f8 p = __builtin_fma(0x1.f1021dd46446ap-7, z, -0x1.12000a9bc6a2cp-5);
    p = __builtin_fma(p, w, __builtin_fma(0x1.70d5dca2d3e2cp-5, z, -0x1.ab77e206ec09bp-5));
    p = __builtin_fma(p, w, __builtin_fma(0x1.e17126faa44dcp-5, z, -0x1.110c68198edc9p-4));
    p = __builtin_fma(p, w, __builtin_fma(0x1.3b136d7bd29e7p-4, z, -0x1.745d14b24386cp-4));
    p = __builtin_fma(p, w, __builtin_fma(0x1.c71c71b718f61p-4, z, -0x1.2492492475115p-3));
    p = __builtin_fma(p, w, __builtin_fma(0x1.9999999999641p-3, z, -0x1.5555555555554p-2));
    return base + (t + __builtin_fma(t, z * p, base_low));
}
static inline __attribute__((always_inline)) pf_f8 pf_arctan_f8(pf_f8 x)
{
    pf_i8 size = pf_size_f8(x);
    pf_b1 beyond = (size > 0x43b0000000000000LL) & (size <= 0x7ff0000000000000LL);
    pf_f8 a = pf_select_f8(beyond, 0x1p60, pf_from_bits_f8((pf_u8)size));
    return pf_with_sign_f8(pf_angle_f8(a, 1.0, 0), x);
}
// x and y are scaled by the same power of two where they might overflow or underflow; equal ones (zeros, infinities)
// need only the ratio 1 or 0.
static inline __attribute__((always_inline)) pf_f8 pf_arctan2_f8(pf_f8 x, pf_f8 y)
{
    pf_i8 a = pf_size_f8(x), b = pf_size_f8(y), zero = -(pf_i8)((a | b) == 0);
    pf_i8 infinite = -(pf_i8)((a == 0x7ff0000000000000LL) & (b == 0x7ff0000000000000LL));
    pf_i8 one = 0x3ff0000000000000LL;
    pf_b1 large = (a > 0x7e70000000000000LL) | (b > 0x7e70000000000000LL);
    pf_b1 small = (a < 0x0800000000000000LL) & (b < 0x0800000000000000LL);
    pf_f8 scale = pf_select_f8(large, 0x1p-100, pf_select_f8(small, 0x1p100, 1.0));
    pf_f8 top = scale * pf_from_bits_f8((pf_u8)((a & ~infinite) | (one & infinite)));
    pf_f8 bottom = scale * pf_from_bits_f8((pf_u8)((b & ~infinite & ~zero) | (one & (infinite | zero))));
    pf_f8 angle = pf_angle_f8(top, bottom, (pf_i8)pf_bits_f8(y) < 0);
    pf_f8 nan = pf_select_f8(a > 0x7ff0000000000000LL, x, y);
    angle = pf_select_f8((a > 0x7ff0000000000000LL) | (b > 0x7ff0000000000000LL), nan, angle);
    return pf_with_sign_f8(pf_from_bits_f8((pf_u8)pf_size_f8(angle)), x);
}

// With z = x^2, asin = x + x z P(z) for |x| < 1/2; beyond it z = (1 - |x|) / 2, s = sqrt(z) + rest, asin = pi/2 - 2
// (s + s z P(z)), acos = 2 (s + s z P(z)). The square root makes NaN and the flag beyond 1. The rest is divided by a
// lower bound of 2 s that is good near 1/2, where it matters. Max error of arcsin 0.7, of arccos 1.0.
static inline __attribute__((always_inline)) pf_f8 pf_arcsin_parts_f8(pf_f8 x, pf_f8 *low)
{
    pf_i8 size = pf_size_f8(x);
    pf_b1 small = size < 0x3fe0000000000000LL, outside = (size > 0x4000000000000000LL) & (size <= 0x7ff0000000000000LL);
    pf_f8 a = pf_select_f8(outside, 2.0, pf_from_bits_f8((pf_u8)size));
    pf_f8 z = pf_select_f8(small, __builtin_fma(a, a, 0x1p-64), __builtin_fma(a, -0.5, 0.5)), w = z * z;
    pf_f8 root = __builtin_sqrt(z);
    pf_f8 s = pf_select_f8(small, a, root);
    pf_f8 rest = pf_select_f8(small, 0.0, __builtin_fma(-root, root, z) * __builtin_fma(root, -2.0, 2.0));
    pf_f8 p = __builtin_fma(0x1.0be4db45672efp-5, w, __builtin_fma(-0x1.59f82d2ba6866p-6, z, 0x1.650359668bb96p-6));
    p = __builtin_fma(p, w, __builtin_fma(0x1.e1562e3f62043p-9, z, 0x1.618b1df7df750p-7));
    p = __builtin_fma(p, w, __builtin_fma(0x1.75777888ac284p-7, z, 0x1.ca21473db9df3p-7));
    p = __builtin_fma(p, w, __builtin_fma(0x1.1c49dddc569bap-6, z, 0x1.6e8bdfe91492ep-6));
    p = __builtin_fma(p, w, __builtin_fma(0x1.f1c71a8b80ddep-6, z, 0x1.6db6db722bc3fp-5));
    p = __builtin_fma(p, w, __builtin_fma(0x1.333333332df0bp-4, z, 0x1.5555555555578p-3));
    *low = __builtin_fma(s, z * p, rest);
    return s;
}
static inline __attribute__((always_inline)) pf_f8 pf_arcsin_f8(pf_f8 x)
{
    pf_f8 low, s = pf_arcsin_parts_f8(x, &low);
    pf_f8 large = 0x1.921fb54442d18p+0 - 2.0 * s;
    pf_f8 large_low = ((0x1.921fb54442d18p+0 - large) - 2.0 * s) + __builtin_fma(low, -2.0, 0x1.1a62633145c07p-54);
    return pf_with_sign_f8(pf_select_f8(pf_size_f8(x) < 0x3fe0000000000000LL, s + low, large + large_low), x);
}
static inline __attribute__((always_inline)) pf_f8 pf_arccos_f8(pf_f8 x)
{
    pf_f8 low, s = pf_arcsin_parts_f8(x, &low);
    pf_b1 small = pf_size_f8(x) < 0x3fe0000000000000LL;
    pf_u8 sign = pf_bits_f8(x) & 0x8000000000000000ULL;
    // pi/2 - asin(x), or pi - 2 asin(root), or 0 + 2 asin(root)
    pf_f8 factor = pf_select_f8(small, -1.0, 2.0);
    factor = pf_from_bits_f8(pf_bits_f8(factor) ^ sign);
    pf_f8 base = pf_select_f8(small, 0x1.921fb54442d18p+0, pf_select_f8(sign != 0, 0x1.921fb54442d18p+1, 0.0));
    pf_f8 term = factor * s, sum = base + term;
    pf_f8 base_low = base * (0x1.1a62633145c07p-54 * 0x1.45f306dc9c883p-1);  // pi/2 or pi beyond double
    return sum + ((base - sum) + term + __builtin_fma(factor, low, base_low));
}
