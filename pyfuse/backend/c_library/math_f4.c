// Elementary functions of float, named after NumPy's ufuncs; see math_f8.c for the conventions. The commonest are
// written in float (twice the lanes), the others go through double.
// The coefficients of exp2, expm1, log2, log10, erf and of math_trigonometric_f4.c are fits of the least maximal
// error in units of the result (Lawson's weights, on 4,000 points), rounded to float one after the other, lowest
// power first, and the rest fitted anew.

// The exponent-and-fraction bits of x without its sign: ordered like |x|, and a NaN is above infinity.
static inline __attribute__((always_inline)) pf_i4 pf_size_f4(pf_f4 x) { return (pf_i4)(pf_bits_f4(x) & 0x7fffffffU); }
// `magnitude` with the sign of `sign`; the magnitude's own sign bit must be clear.
static inline __attribute__((always_inline)) pf_f4 pf_with_sign_f4(pf_f4 magnitude, pf_f4 sign)
{
    return pf_from_bits_f4(pf_bits_f4(magnitude) | (pf_bits_f4(sign) & 0x80000000U));
}

// A result found in double. A subnormal one raises underflow even when it is exact in float, because it was not in
// double.
static inline __attribute__((always_inline)) pf_f4 pf_narrow_f4(pf_f8 result)
{
    pf_f4 narrow = (pf_f4)result;
    return __builtin_fmaf(narrow, 0x1p-40f, narrow);
}

// e^r - 1 for |r| <= ln(2) / 2: r + r^2 q(r), relative error of e^r 2^-28. Only its sum with 1 is accurate near r =
// 0, where 2^-40 keeps the square from underflowing.
static inline __attribute__((always_inline)) pf_f4 pf_exp_reduced_f4(pf_f4 r)
{
    pf_f4 square = __builtin_fmaf(r, r, 0x1p-40f);
    pf_f4 q = __builtin_fmaf(0x1.6ac832p-10f, r, 0x1.123deep-7f);
    q = __builtin_fmaf(q, square, __builtin_fmaf(0x1.555858p-5f, r, 0x1.55548cp-3f));
    return __builtin_fmaf(__builtin_fmaf(q, r, 0x1.fffffcp-2f), square, r);
}
// As pf_exp_f8. Max error 1.0.
static inline __attribute__((always_inline)) pf_f4 pf_exp_f4(pf_f4 x)
{
    pf_i4 size = pf_size_f4(x);
    pf_f4 bounded = pf_with_sign_f4(pf_from_bits_f4((pf_u4)(size < 0x42dc0000 ? size : 0x42dc0000)), x);  // 110
    pf_f4 shifted = __builtin_fmaf(bounded, 0x1.715476p+0f, 0x1.8p23f + 254);
    pf_f4 n = shifted - (0x1.8p23f + 254);
    pf_f4 r = __builtin_fmaf(n, -0x1.62e43p-1f, bounded);
    r = __builtin_fmaf(n, 0x1.05c61p-29f, r);
    pf_u4 biased = pf_bits_f4(shifted);
    pf_f4 first = pf_from_bits_f4((biased >> 1) << 23), second = pf_from_bits_f4((biased - (biased >> 1)) << 23);
    pf_f4 limit = pf_select_f4(pf_bits_f4(x) == 0xff800000U, 0.0f, x);
    second = pf_select_f4(size >= 0x7f800000, limit, second);
    return __builtin_fmaf(pf_exp_reduced_f4(r), first, first) * second;
}

// As pf_exp2_f8. Max error 1.1.
static inline __attribute__((always_inline)) pf_f4 pf_exp2_f4(pf_f4 x)
{
    pf_i4 size = pf_size_f4(x);
    pf_f4 bounded = pf_with_sign_f4(pf_from_bits_f4((pf_u4)(size < 0x43200000 ? size : 0x43200000)), x);  // 160
    pf_f4 shifted = bounded + (0x1.8p23f + 254);
    pf_f4 r = bounded - (shifted - (0x1.8p23f + 254)), square = __builtin_fmaf(r, r, 0x1p-40f);
    pf_f4 p = __builtin_fmaf(0x1.40b262p-13f, r, 0x1.5f095cp-10f);
    p = __builtin_fmaf(p, square, __builtin_fmaf(0x1.3b2f1ap-7f, r, 0x1.c6af7ap-5f));
    p = __builtin_fmaf(p, square, __builtin_fmaf(0x1.ebfbdap-3f, r, 0x1.62e43p-1f));
    pf_u4 biased = pf_bits_f4(shifted);
    pf_f4 first = pf_from_bits_f4((biased >> 1) << 23), second = pf_from_bits_f4((biased - (biased >> 1)) << 23);
    pf_f4 limit = pf_select_f4(pf_bits_f4(x) == 0xff800000U, 0.0f, x);
    second = pf_select_f4(size >= 0x7f800000, limit, second);
    pf_f4 result = __builtin_fmaf(p, r * first, first) * second;
    return __builtin_fmaf(result, 0x1p-40f, result);  // underflow where the result is subnormal, if exact too
}
// As pf_expm1_f8, q of degree 4; 2^-60 keeps r q from underflowing. Max error 1.8.
static inline __attribute__((always_inline)) pf_f4 pf_expm1_f4(pf_f4 x)
{
    pf_i4 size = pf_size_f4(x);
    pf_b1 finite = size < 0x7f800000, small = size < 0x3eb00000;  // below 0.34375, n is 0
    pf_f4 limit = pf_select_f4(((pf_i4)pf_bits_f4(x) >= 0) & finite, 89.0f, -20.0f);
    pf_f4 bounded = pf_select_f4(size > pf_size_f4(limit), limit, x);
    pf_f4 shifted = __builtin_fmaf(bounded, 0x1.715476p+0f, 0x1.8p23f + 126);
    pf_f4 n = shifted - (0x1.8p23f + 126);
    pf_f4 exact = __builtin_fmaf(n, -0x1.62e43p-1f, bounded);
    pf_f4 r = __builtin_fmaf(n, 0x1.05c61p-29f, exact), tail = __builtin_fmaf(n, 0x1.05c61p-29f, exact - r);
    pf_f4 scale = pf_from_bits_f4(pf_bits_f4(shifted) << 23), square = __builtin_fmaf(r, r, 0x1p-40f);
    pf_f4 q = __builtin_fmaf(0x1.6b4b8ep-10f, r, 0x1.121f1p-7f);
    q = __builtin_fmaf(q, square, __builtin_fmaf(0x1.55576p-5f, r, 0x1.5554bep-3f));
    q = __builtin_fmaf(q, r, 0x1.fffffep-2f);
    pf_f4 factor = __builtin_fmaf(r, q, 0x1p-60f);
    pf_f4 far = r + __builtin_fmaf(factor, pf_select_f4(small, 1.0f, r), tail);
    pf_f4 near = pf_from_bits_f4((pf_u4)pf_size_f4(__builtin_fmaf(factor, r, r)));
    pf_f4 result = pf_select_f4(small, pf_with_sign_f4(near, x), 2.0f * __builtin_fmaf(scale, far, scale - 0.5f));
    pf_f4 end = pf_select_f4(pf_bits_f4(x) == 0xff800000U, -1.0f, x);
    return pf_select_f4(finite, result, end);
}

// log(1 + f) + k ln(2) for f in [-1/3, 1/3]: f - f^2/2 + f^3 P(f).
static inline __attribute__((always_inline)) pf_f4 pf_log_sum_f4(pf_f4 f, pf_f4 k)
{
    pf_f4 z = f * f;
    pf_f4 p = __builtin_fmaf(-0x1.0d2c8ap-3f, f, 0x1.1ded7ep-3f);
    p = __builtin_fmaf(p, z, __builtin_fmaf(-0x1.f0a888p-4f, f, 0x1.1ef61p-3f));
    p = __builtin_fmaf(p, z, __builtin_fmaf(-0x1.55b442p-3f, f, 0x1.99cdb8p-3f));
    p = __builtin_fmaf(p, z, __builtin_fmaf(-0x1.fffe72p-3f, f, 0x1.55550ep-2f));
    pf_f4 rest = __builtin_fmaf(z * f, p, __builtin_fmaf(z, -0.5f, k * 0x1.7f7d1cp-20f));
    return __builtin_fmaf(k, 0x1.62e4p-1f, f + rest);
}
// The logarithm of x where that is no positive finite number, with the flag; else `normal`. The division is 1 / 1 for
// ordinary arguments.
static inline __attribute__((always_inline)) pf_f4 pf_log_or_special_f4(pf_f4 x, pf_f4 normal)
{
    pf_i4 bits = (pf_i4)pf_bits_f4(x), size = pf_size_f4(x);
    pf_b1 quiet = (bits == 0x7f800000) | (size > 0x7f800000);
    pf_b1 bad = (bits <= 0) & (size <= 0x7f800000);
    pf_f4 zero_or_below = pf_from_bits_f4(pf_bits_f4(-1.0f) & -(pf_u4)(size == 0));
    pf_f4 other = pf_select_f4(bad, zero_or_below, 1.0f) / pf_select_f4(bad, 0.0f, 1.0f);
    return pf_select_f4(quiet, x, pf_select_f4(bad, other, normal));
}
// x = 2^k m with m in [2/3, 4/3), for positive finite x; any m of that range for other x.
static inline __attribute__((always_inline)) pf_f4 pf_log_fraction_f4(pf_f4 x, pf_f4 *k)
{
    pf_i4 subnormal = -(pf_i4)(pf_size_f4(x) < 0x00800000);
    pf_f4 scaled = x * pf_from_bits_f4((pf_u4)(0x3f800000 + (subnormal & (25 << 23))));
    pf_i4 shifted = (pf_i4)pf_bits_f4(scaled) + (0x3f800000 - 0x3f2aaaab);
    *k = (pf_f4)((shifted >> 23) - 127 - (subnormal & 25));
    return pf_from_bits_f4((pf_u4)((shifted & 0x007fffff) + 0x3f2aaaab));
}
// Max error 0.9.
static inline __attribute__((always_inline)) pf_f4 pf_log_f4(pf_f4 x)
{
    pf_f4 k, m = pf_log_fraction_f4(x, &k);
    return pf_log_or_special_f4(x, pf_log_sum_f4(m - 1.0f, k));
}
// x = 2^k m as for log: k + f / ln(2) + f^2 Q(f), f = m - 1, 1 / ln(2) in two parts. Max error 1.5.
static inline __attribute__((always_inline)) pf_f4 pf_log2_f4(pf_f4 x)
{
    pf_f4 k, f = pf_log_fraction_f4(x, &k) - 1.0f, z = f * f;
    pf_f4 q = __builtin_fmaf(-0x1.740db6p-3f, z, __builtin_fmaf(0x1.9b3bf6p-3f, f, -0x1.6a14dcp-3f));
    q = __builtin_fmaf(q, z, __builtin_fmaf(0x1.9e3e04p-3f, f, -0x1.ecafa6p-3f));
    q = __builtin_fmaf(q, z, __builtin_fmaf(0x1.279a9ap-2f, f, -0x1.715448p-2f));
    q = __builtin_fmaf(q, z, __builtin_fmaf(0x1.ec703ep-2f, f, -0x1.715476p-1f));
    pf_f4 rest = __builtin_fmaf(z, q, f * 0x1.4ae0cp-26f);
    return pf_log_or_special_f4(x, k + __builtin_fmaf(f, 0x1.715476p+0f, rest));
}
// x = 2^k m as for log: k log10(2) + f / ln(10) + f^2 Q(f), f = m - 1, both factors in two parts. Max error 1.7.
static inline __attribute__((always_inline)) pf_f4 pf_log10_f4(pf_f4 x)
{
    pf_f4 k, f = pf_log_fraction_f4(x, &k) - 1.0f, z = f * f;
    pf_f4 q = __builtin_fmaf(-0x1.c496aap-5f, z, __builtin_fmaf(0x1.f109cep-5f, f, -0x1.b29c4cp-5f));
    q = __builtin_fmaf(q, z, __builtin_fmaf(0x1.f26edep-5f, f, -0x1.28b37ep-4f));
    q = __builtin_fmaf(q, z, __builtin_fmaf(0x1.63f3e4p-4f, f, -0x1.bcb6a8p-4f));
    q = __builtin_fmaf(q, z, __builtin_fmaf(0x1.287a38p-3f, f, -0x1.bcb7b2p-3f));
    pf_f4 rest = __builtin_fmaf(k, 0x1.3509f8p-18f, __builtin_fmaf(z, q, f * -0x1.5b235ep-27f));
    pf_f4 normal = __builtin_fmaf(k, 0x1.344p-2f, __builtin_fmaf(f, 0x1.bcb7b2p-2f, rest));
    return pf_log_or_special_f4(x, normal);
}
// 1 + x = 2^k (1 + f), f = 2^-k x + (2^-k - 1) rounded once from x itself, then as log. Max error 1.6.
static inline __attribute__((always_inline)) pf_f4 pf_log1p_f4(pf_f4 x)
{
    pf_f4 u = 1.0f + x;
    pf_i4 size = pf_size_f4(x), shifted = (pf_i4)pf_bits_f4(u) + (0x3f800000 - 0x3f2aaaab);
    pf_i4 whole = (shifted >> 23) - 127;
    pf_b1 tiny = size < 0x33000000, large = size >= 0x4b800000;
    pf_f4 m = pf_from_bits_f4((pf_u4)((shifted & 0x007fffff) + 0x3f2aaaab));
    pf_f4 scale = pf_select_f4(large, 1.0f, pf_from_bits_f4((pf_u4)(0x3f800000 - (whole << 23))));
    pf_f4 f = __builtin_fmaf(pf_select_f4(tiny | large, 1.0f, x), scale, scale - 1.0f);
    f = pf_select_f4(large, m - 1.0f, f);
    pf_f4 result = pf_select_f4(tiny, x, pf_log_or_special_f4(u, pf_log_sum_f4(f, (pf_f4)whole)));
    return __builtin_fmaf(result, 0x1p-40f, result);  // underflow where the result is subnormal
}

// |x| < 0.625: x + x^3 P(x^2); else 1 - 2 / (e^2x + 1). Max error 1.
static inline __attribute__((always_inline)) pf_f4 pf_tanh_f4(pf_f4 x)
{
    pf_i4 size = pf_size_f4(x);
    pf_f4 a = pf_from_bits_f4((pf_u4)size);
    pf_f4 bounded = pf_select_f4((size > 0x41200000) & (size <= 0x7f800000), 10.0f, a);
    pf_f4 shifted = __builtin_fmaf(bounded, 0x1.715476p+1f, 0x1.8p23f + 127);
    pf_f4 n = shifted - (0x1.8p23f + 127);
    pf_f4 r = __builtin_fmaf(n, -0x1.62e43p-1f, bounded + bounded);
    r = __builtin_fmaf(n, 0x1.05c61p-29f, r);
    pf_f4 scale = pf_from_bits_f4(pf_bits_f4(shifted) << 23);
    pf_f4 above = __builtin_fmaf(scale, pf_exp_reduced_f4(r), scale + 1.0f);
    pf_f4 z = __builtin_fmaf(bounded, bounded, 0x1p-30f), w = z * z;
    pf_f4 p = __builtin_fmaf(z, 0x1.1acdd4p-9f, -0x1.0c894ep-7f);
    p = __builtin_fmaf(p, w, __builtin_fmaf(z, 0x1.63ad16p-6f, -0x1.b9f22p-5f));
    p = __builtin_fmaf(p, w, __builtin_fmaf(z, 0x1.11107cp-3f, -0x1.555554p-2f));
    pf_b1 small = size < 0x3f200000;
    pf_f4 factor = pf_select_f4(small, z * p, -2.0f / above);
    pf_f4 leading = pf_select_f4(small, a, 1.0f);
    return pf_with_sign_f4(__builtin_fmaf(leading, factor, leading), x);
}

// |x| < 0.875: x + x P(x^2); else 1 - 2^-v, v = -log2(erfc|x|) a polynomial in |x| on [0.875, 4], beyond which erf
// rounds to 1. Max error 1.6.
static inline __attribute__((always_inline)) pf_f4 pf_erf_f4(pf_f4 x)
{
    pf_i4 size = pf_size_f4(x);
    pf_f4 a = pf_select_f4((size > 0x40800000) & (size <= 0x7f800000), 4.0f, pf_from_bits_f4((pf_u4)size));
    pf_f4 z = __builtin_fmaf(a, a, 0x1p-40f), zz = z * z;
    pf_f4 p = __builtin_fmaf(-0x1.47e93cp-11f, z, 0x1.4a7efcp-8f);
    p = __builtin_fmaf(p, zz, __builtin_fmaf(-0x1.b715bp-6f, z, 0x1.ce23d6p-4f));
    p = __builtin_fmaf(p, zz, __builtin_fmaf(-0x1.81272p-2f, z, 0x1.06eba8p-3f));
    pf_f4 v = __builtin_fmaf(-0x1.2e6a5p-12f, z, __builtin_fmaf(0x1.236722p-8f, a, -0x1.08836cp-5f));
    v = __builtin_fmaf(v, z, __builtin_fmaf(0x1.3405bep-3f, a, 0x1.d664ccp-1f));
    v = __builtin_fmaf(v, z, __builtin_fmaf(0x1.a09036p+0f, a, 0x1.b45148p-13f));
    pf_f4 shifted = (0x1.8p23f + 127) - v, f = ((0x1.8p23f + 127) - shifted) - v;
    pf_f4 scale = pf_from_bits_f4(pf_bits_f4(shifted) << 23), ff = f * f;
    pf_f4 q = __builtin_fmaf(0x1.5aac9p-10f, f, 0x1.3cec48p-7f);
    q = __builtin_fmaf(q, ff, __builtin_fmaf(0x1.c6babap-5f, f, 0x1.ebf9b6p-3f));
    q = __builtin_fmaf(q, ff, __builtin_fmaf(0x1.62e424p-1f, f, 1.0f));
    pf_f4 large = __builtin_fmaf(-scale, q, 1.0f);
    return pf_with_sign_f4(pf_select_f4(size < 0x3f600000, __builtin_fmaf(a, p, a), large), x);
}

// Through double: max error 0.51 each.

static inline __attribute__((always_inline)) pf_f4 pf_erfc_f4(pf_f4 x) { return (pf_f4)pf_erfc_f8(x); }
static inline __attribute__((always_inline)) pf_f4 pf_sinh_f4(pf_f4 x) { return pf_narrow_f4(pf_sinh_f8(x)); }
static inline __attribute__((always_inline)) pf_f4 pf_cosh_f4(pf_f4 x) { return (pf_f4)pf_cosh_f8(x); }
static inline __attribute__((always_inline)) pf_f4 pf_cbrt_f4(pf_f4 x) { return (pf_f4)pf_cbrt_f8(x); }
static inline __attribute__((always_inline)) pf_f4 pf_arctan2_f4(pf_f4 x, pf_f4 y)
{
    return pf_narrow_f4(pf_arctan2_f8(x, y));
}

// In double no square of a float overflows or underflows.
static inline __attribute__((always_inline)) pf_f4 pf_hypot_f4(pf_f4 x, pf_f4 y)
{
    pf_f8 a = x, b = y;
    pf_f4 root = pf_narrow_f4(__builtin_sqrt(__builtin_fma(a, a, b * b)));
    pf_b1 infinite = (pf_size_f4(x) == 0x7f800000) | (pf_size_f4(y) == 0x7f800000);
    return pf_select_f4(infinite, __builtin_inff(), root);
}
