// power and the error functions, named after NumPy's and scipy's ufuncs; see math_f8.c for the conventions.

// |x| < 1: x + x P(x^2); else 1 - e^-w, w = -log(erfc|x|) a polynomial in |x| - 1 on [1, 6]. Max error 1.2.
static inline __attribute__((always_inline)) pf_f8 pf_erf_f8(pf_f8 x)
{
    pf_i8 size = pf_size_f8(x);
    pf_f8 a = pf_from_bits_f8((pf_u8)size);
    pf_f8 bounded = pf_select_f8((size > 0x4018000000000000LL) & (size <= 0x7ff0000000000000LL), 6.0, a);
    pf_f8 z = __builtin_fma(bounded, bounded, 0x1p-64), square = z * z;
    pf_f8 p = __builtin_fma(-0x1.e48089a13ffb6p-30, z, 0x1.1811030a83579p-26);
    p = __builtin_fma(0x1.681602847d9edp-33, square, p);
    p = __builtin_fma(p, square, __builtin_fma(-0x1.6470e70130751p-23, z, 0x1.ba820a70e3b0dp-20));
    p = __builtin_fma(p, square, __builtin_fma(-0x1.f4dec19b2dd6fp-17, z, 0x1.f9a3cf7408e03p-14));
    p = __builtin_fma(p, square, __builtin_fma(-0x1.c02db9e0ad428p-11, z, 0x1.565bcd2fa3c14p-8));
    p = __builtin_fma(p, square, __builtin_fma(-0x1.b82ce313662cfp-6, z, 0x1.ce2f21a045b86p-4));
    p = __builtin_fma(p, square, __builtin_fma(-0x1.812746b037a27p-2, z, 0x1.06eba8214db69p-3));
    pf_f8 t = bounded - 1.0, tt = t * t;
    pf_f8 w = __builtin_fma(0x1.565cb835d73adp-38, t, -0x1.066a1462749a2p-33);
    w = __builtin_fma(w, tt, __builtin_fma(0x1.6a9caf242a79bp-30, t, -0x1.24b802b492f06p-27));
    w = __builtin_fma(w, tt, __builtin_fma(0x1.1ed869309bfb2p-25, t, -0x1.f25ce26390913p-25));
    w = __builtin_fma(w, tt, __builtin_fma(-0x1.b7ce943b84411p-23, t, 0x1.1e245e70da233p-19));
    w = __builtin_fma(w, tt, __builtin_fma(-0x1.44845d4486886p-17, t, 0x1.c852a7041e16fp-16));
    w = __builtin_fma(w, tt, __builtin_fma(-0x1.b92dd7b62b0d3p-16, t, -0x1.f1b04aa539713p-13));
    w = __builtin_fma(w, tt, __builtin_fma(0x1.033f5a1357ad2p-9, t, -0x1.48c9d37fc5d58p-7));
    w = __builtin_fma(w, tt, __builtin_fma(0x1.5477f099b6e08p-5, t, 0x1.afabc11a2afd8p-1));
    w = __builtin_fma(w, tt, __builtin_fma(0x1.51c9b0006c21ap+1, t, 0x1.d97fbf27aa2a1p+0));
    pf_f8 shifted = __builtin_fma(w, -0x1.71547652b82fep+0, 0x1.8p52 + 1023);
    pf_f8 n = shifted - (0x1.8p52 + 1023);
    pf_f8 r = __builtin_fma(n, -0x1.62e42fefa39efp-1, -w);
    r = __builtin_fma(n, -0x1.abc9e3b39803fp-56, r);
    pf_f8 scale = pf_from_bits_f8(pf_bits_f8(shifted) << 52);
    pf_f8 large = 1.0 - __builtin_fma(scale, pf_exp_reduced_f8(r), scale);
    return pf_with_sign_f8(pf_select_f8(size < 0x3ff0000000000000LL, __builtin_fma(bounded, p, bounded), large), x);
}
// erfc(a) = e^-a^2 G(q) / (1 + 2 a) with q = (a - 4) / (a + 4), G a polynomial on the whole half line (the mapping
// of Shepherd and Laframboise), and a^2 in two parts; 2 - erfc(-x) below zero; 1 - erf for |x| < 0.47. Max error
// 2.2.
static inline __attribute__((always_inline)) pf_f8 pf_erfc_f8(pf_f8 x)
{
    pf_i8 size = pf_size_f8(x);
    pf_b1 negative = (pf_i8)pf_bits_f8(x) < 0;
    pf_f8 limit = pf_select_f8(negative, 6.5, 28.0);
    pf_b1 beyond = (size > pf_size_f8(limit)) & (size <= 0x7ff0000000000000LL);
    pf_f8 a = pf_select_f8(beyond, limit, pf_from_bits_f8((pf_u8)size));
    pf_f8 inverse = 1.0 / (a + 4.0);
    pf_f8 q = (a - 4.0) * inverse;
    q = __builtin_fma(inverse, __builtin_fma(q, -a, __builtin_fma(q + 1.0, -4.0, a)), q);
    pf_f8 qq = q * q;
    pf_f8 p = __builtin_fma(-0x1.18c7b743364d5p-27, q, 0x1.b48367de5bd62p-24);
    p = __builtin_fma(-0x1.220225c6fd844p-27, qq, p);
    p = __builtin_fma(p, qq, __builtin_fma(0x1.dd5cf78be69fbp-25, q, -0x1.b85f3fc535172p-21));
    p = __builtin_fma(p, qq, __builtin_fma(0x1.507b270a6599dp-22, q, 0x1.7f24bdf7e882ep-18));
    p = __builtin_fma(p, qq, __builtin_fma(-0x1.78f3691a6b838p-17, q, -0x1.995edec810762p-16));
    p = __builtin_fma(p, qq, __builtin_fma(0x1.3be2df4c54db3p-13, q, -0x1.a1debcaf7d823p-13));
    p = __builtin_fma(p, qq, __builtin_fma(-0x1.8d4ac2b1ac986p-11, q, 0x1.49c671a307d43p-8));
    p = __builtin_fma(p, qq, __builtin_fma(-0x1.09623853e611cp-6, q, 0x1.3079edfaa0d09p-5));
    p = __builtin_fma(p, qq, __builtin_fma(-0x1.0fb06dff5f39dp-4, q, 0x1.7fee004deae5ep-4));
    p = __builtin_fma(p, qq, __builtin_fma(-0x1.9ddb23c3dc584p-4, q, 0x1.16ecefcfa6853p-4));
    p = __builtin_fma(p, qq, __builtin_fma(0x1.f7f5df66fba5dp-7, q, -0x1.1df1ad154a2a7p-3));
    pf_f8 top = __builtin_fma(p, q, 0x1.3ba5916e9fd7fp+0), top_low = __builtin_fma(p, q, 0x1.3ba5916e9fd7fp+0 - top);
    pf_f8 near = pf_with_sign_f8(a, x), square = __builtin_fma(a, a, 0x1p-200), rest = __builtin_fma(a, a, -square);
    pf_f8 shifted = __builtin_fma(square, -0x1.71547652b82fep+0, 0x1.8p52 + 2046);
    pf_f8 n = shifted - (0x1.8p52 + 2046);
    pf_f8 exact = __builtin_fma(n, -0x1.62e42fefa39efp-1, -square);
    pf_f8 tail = __builtin_fma(n, -0x1.abc9e3b39803fp-56, -rest), r = exact + tail;
    tail = (exact - r) + tail + (pf_exp_reduced_f8(r) - r);
    pf_u8 biased = pf_bits_f8(shifted);
    pf_f8 first = pf_from_bits_f8((biased >> 1) << 52), second = pf_from_bits_f8((biased - (biased >> 1)) << 52);
    second = pf_select_f8(size == 0x7ff0000000000000LL, 0.0, second);
    pf_f8 divisor = __builtin_fma(a, 2.0, 1.0), divisor_low = (a + a - divisor) + 1.0, factor = 1.0 / divisor;
    pf_f8 high = top * factor, low = __builtin_fma(-high, divisor_low, __builtin_fma(-high, divisor, top) + top_low);
    low *= factor;
    pf_f8 outer = (high + __builtin_fma(r, high, __builtin_fma(tail, high, low))) * first * second;
    outer = pf_select_f8(negative, 2.0 - outer, outer);
    pf_f8 fourth = square * square;
    pf_f8 e = __builtin_fma(-0x1.f2b8cca89bd8ep-17, square, 0x1.f9944eea409b2p-14);
    e = __builtin_fma(0x1.908889fa51fa5p-20, fourth, e);
    e = __builtin_fma(e, fourth, __builtin_fma(-0x1.c02d76a1a48fap-11, square, 0x1.565bcc791f72ep-8));
    e = __builtin_fma(e, fourth, __builtin_fma(-0x1.b82ce310f04fep-6, square, 0x1.ce2f21a0408e3p-4));
    e = __builtin_fma(e, fourth, __builtin_fma(-0x1.812746b0379d4p-2, square, 0x1.06eba8214db69p-3));
    return pf_select_f8(size < 0x3fde000000000000LL, 1.0 - __builtin_fma(near, e, near), outer);
}

// The part of x^y that needs no digits: the answer's sign bit, C99's special cases (whether they decide the answer,
// and then what it is), the flags of a pole and of a negative x with a fraction. Returns the y to compute with: bounded
// so that y log|x| neither overflows nor underflows, and tiny where the answer is decided.
static inline __attribute__((always_inline)) pf_f8 pf_power_cases_f8(
    pf_f8 x, pf_f8 y, pf_f8 *answer, pf_b1 *decided, pf_u8 *sign, unsigned *status)
{
    const pf_i8 one = 0x3ff0000000000000LL, infinity = 0x7ff0000000000000LL;
    pf_i8 x_size = pf_size_f8(x), y_size = pf_size_f8(y);
    pf_b1 negative = (pf_i8)pf_bits_f8(x) < 0, downward = (pf_i8)pf_bits_f8(y) < 0;
    pf_f8 bounded = pf_select_f8(y_size > 0x4410000000000000LL, pf_with_sign_f8(0x1p66, y), y);
    bounded = pf_select_f8(y_size < 0x3b90000000000000LL, pf_with_sign_f8(0x1p-70, y), bounded);
    pf_f8 half = 0.5 * bounded;
    pf_b1 whole = __builtin_rint(bounded) == bounded, odd = whole & (__builtin_rint(half) != half);
    pf_b1 fraction = !whole & (y_size != 0) & (y_size < infinity);
    pf_b1 outside = negative & fraction & (x_size != 0) & (x_size < infinity);
    pf_b1 pole = (x_size == 0) & downward & (y_size != 0) & (y_size < infinity);
    *status |= (-(unsigned)outside & PF_INVALID) | (-(unsigned)pole & PF_DIVIDE);
    pf_f8 limit = pf_select_f8((x_size > one) != downward, __builtin_inf(), 0.0);
    limit = pf_select_f8(x_size == one, 1.0, limit);
    limit = pf_select_f8(outside | (x_size > infinity) | (y_size > infinity), __builtin_nan(""), limit);
    *answer = pf_select_f8((y_size == 0) | (pf_bits_f8(x) == (pf_u8)one), 1.0, limit);
    *decided = outside | (x_size == 0) | (x_size >= infinity) | (y_size >= infinity);
    *sign = (pf_u8)(negative & odd) << 63;
    return pf_select_f8(*decided, 0x1p-70, bounded);
}
// e^(y log|x|), the logarithm 2 atanh(s) in two doubles (relative error 2^-64). Max error 0.9.
static inline __attribute__((always_inline)) pf_f8 pf_power_f8(pf_f8 x, pf_f8 y, unsigned *status)
{
    pf_f8 answer;
    pf_b1 decided;
    pf_u8 sign;
    pf_f8 y_bounded = pf_power_cases_f8(x, y, &answer, &decided, &sign, status);
    pf_f8 k, m = pf_log_fraction_f8(pf_from_bits_f8((pf_u8)pf_size_f8(x)), &k), f = m - 1.0;
    pf_f8 divisor = m + 1.0, divisor_low = m - (divisor - 1.0), s = f / divisor;
    pf_f8 s_low = __builtin_fma(-s, divisor_low, __builtin_fma(-s, divisor, f)) * __builtin_fma(s, -0.5, 0.5);
    pf_f8 z = s * s, z_low = __builtin_fma(s + s, s_low, __builtin_fma(s, s, -z)), w = z * z;
    pf_f8 p = __builtin_fma(0x1.eb1fb40b1591bp-5, z, 0x1.de31bb5eac3b2p-5);
    p = __builtin_fma(p, w, __builtin_fma(0x1.1120c012a8277p-4, z, 0x1.3b136273535e8p-4));
    p = __builtin_fma(p, w, __builtin_fma(0x1.745d183340138p-4, z, 0x1.c71c71c57e9aap-4));
    p = __builtin_fma(p, w, __builtin_fma(0x1.2492492493043p-3, z, 0x1.9999999999996p-3));
    pf_f8 tail = z * p, u = 0x1.5555555555555p-2 + tail;
    pf_f8 u_low = ((0x1.5555555555555p-2 - u) + tail) + 0x1.5555555555555p-56;
    pf_f8 v = z * u, v_low = __builtin_fma(z, u, -v) + __builtin_fma(z, u_low, z_low * u);
    pf_f8 product = s * v, product_low = __builtin_fma(s, v, -product) + __builtin_fma(s, v_low, s_low * v);
    pf_f8 half_log = s + product, half_low = ((s - half_log) + product) + (product_low + s_low);
    pf_f8 base = k * 0x1.62e42ff000000p-1, log = base + 2.0 * half_log;
    pf_f8 log_low = ((base - log) + 2.0 * half_log) + __builtin_fma(k, -0x1.718432a1b0e26p-35, 2.0 * half_low);

    pf_f8 exponent = y_bounded * log;
    pf_f8 exponent_low = __builtin_fma(y_bounded, log_low, __builtin_fma(y_bounded, log, -exponent));
    pf_b1 beyond = pf_size_f8(exponent) > 0x4089000000000000LL;
    exponent_low = pf_select_f8(beyond, 0.0, exponent_low);
    exponent = pf_select_f8(beyond, pf_with_sign_f8(800.0, exponent), exponent);
    pf_f8 shifted = __builtin_fma(exponent, 0x1.71547652b82fep+0, 0x1.8p52 + 2046);
    pf_f8 n = shifted - (0x1.8p52 + 2046);
    pf_f8 exact = __builtin_fma(n, -0x1.62e42fefa39efp-1, exponent);
    pf_f8 rest = __builtin_fma(n, -0x1.abc9e3b39803fp-56, exponent_low), r = exact + rest;
    rest = (exact - r) + rest;
    pf_f8 near = 1.0 + r, near_low = (1.0 - near) + r;
    pf_f8 power = near + (near_low + ((pf_exp_reduced_f8(r) - r) + rest));
    pf_u8 biased = pf_bits_f8(shifted);
    pf_f8 first = pf_from_bits_f8((biased >> 1) << 52), second = pf_from_bits_f8((biased - (biased >> 1)) << 52);
    pf_f8 result = power * first * second;
    result = __builtin_fma(result, 0x1p-70, result);  // underflow where the result is subnormal, if exact too
    return pf_from_bits_f8(pf_bits_f8(pf_select_f8(decided, answer, result)) ^ sign);
}

// e^x for a float's exponent range, |x| <= 300, to 2^-34: enough to be rounded to float.
static inline __attribute__((always_inline)) pf_f8 pf_exp_short_f8(pf_f8 x)
{
    pf_f8 shifted = __builtin_fma(x, 0x1.71547652b82fep+0, 0x1.8p52 + 1023);
    pf_f8 r = __builtin_fma(shifted - (0x1.8p52 + 1023), -0x1.62e42fefa39efp-1, x);
    pf_f8 square = __builtin_fma(r, r, 0x1p-300);
    pf_f8 q = __builtin_fma(0x1.9f07b3f634b28p-13, r, 0x1.6d8d0108d0a2fp-10);
    q = __builtin_fma(q, square, __builtin_fma(0x1.1112718c901a2p-7, r, 0x1.55548dd2089d4p-5));
    q = __builtin_fma(q, square, __builtin_fma(0x1.555554426d18ep-3, r, 0x1.0000003a14d97p-1));
    pf_f8 scale = pf_from_bits_f8(pf_bits_f8(shifted) << 52);
    return __builtin_fma(__builtin_fma(q, square, r), scale, scale);
}
// As pf_power_f8, in double with a logarithm to 2^-45. Max error 0.51.
static inline __attribute__((always_inline)) pf_f4 pf_power_f4(pf_f4 x, pf_f4 y, unsigned *status)
{
    pf_f8 answer, k;
    pf_b1 decided;
    pf_u8 sign;
    pf_f8 y_bounded = pf_power_cases_f8(x, y, &answer, &decided, &sign, status);
    pf_f8 m = pf_log_fraction_f8(pf_from_bits_f8((pf_u8)pf_size_f8(x)), &k), s = (m - 1.0) / (m + 1.0);
    pf_f8 z = s * s;
    pf_f8 p = __builtin_fma(z, 0x1.911bdd70938abp-4, 0x1.c62ab0f58704dp-4);
    p = __builtin_fma(p, z * z, __builtin_fma(z, 0x1.249412f5bcca7p-3, 0x1.999996a738e92p-3));
    p = __builtin_fma(p, z, 0x1.555555561ee33p-2);
    pf_f8 half_log = __builtin_fma(k, 0x1.62e42fefa39efp-2, __builtin_fma(s, z * p, s));
    pf_f8 exponent = y_bounded * (half_log + half_log);
    pf_b1 beyond = pf_size_f8(exponent) > 0x4072c00000000000LL;
    pf_f8 result = pf_exp_short_f8(pf_select_f8(beyond, pf_with_sign_f8(300.0, exponent), exponent));
    return pf_narrow_f4(pf_from_bits_f8(pf_bits_f8(pf_select_f8(decided, answer, result)) ^ sign));
}
// As pf_expit_f8; 2^-40 keeps what a tiny z is multiplied with from underflowing. Max error 1.5.
static inline __attribute__((always_inline)) pf_f4 pf_expit_f4(pf_f4 x)
{
    pf_i4 size = pf_size_f4(x);
    pf_b1 negative = (pf_i4)pf_bits_f4(x) < 0;
    pf_i4 limit = negative & (size <= 0x7f800000) ? 0x42dc0000 : 0x41f00000;  // 110, 30
    pf_f4 bounded = pf_from_bits_f4((pf_u4)(size > limit ? limit : size) | 0x80000000U);
    pf_f4 shifted = __builtin_fmaf(bounded, 0x1.715476p+0f, 0x1.8p23f + 254);
    pf_f4 n = shifted - (0x1.8p23f + 254);
    pf_f4 r = __builtin_fmaf(n, -0x1.62e43p-1f, bounded);
    r = __builtin_fmaf(n, 0x1.05c61p-29f, r);
    pf_u4 biased = pf_bits_f4(shifted);
    pf_f4 first = pf_from_bits_f4((biased >> 1) << 23), second = pf_from_bits_f4((biased - (biased >> 1)) << 23);
    second = pf_select_f4(size == 0x7f800000, 0.0f, second);
    pf_f4 power = __builtin_fmaf(pf_exp_reduced_f4(r), first, first), z = __builtin_fmaf(power, second, 0x1p-40f);
    pf_f4 divisor = 1.0f + z, inverse = 1.0f / divisor;
    pf_f4 numerator = pf_select_f4(negative, power, 1.0f), quotient = numerator * inverse;
    pf_f4 rest = __builtin_fmaf(-quotient, (1.0f - divisor) + z, __builtin_fmaf(-quotient, divisor, numerator));
    pf_f4 result = __builtin_fmaf(rest, inverse, quotient) * pf_select_f4(negative, second, 1.0f);
    return pf_select_f4(size > 0x7f800000, x, result);
}
