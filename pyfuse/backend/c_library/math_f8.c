// Elementary functions of double, named after NumPy's ufuncs: exponentials, logarithms and hyperbolic functions.
// Each is straight-line arithmetic that the compiler vectorises; "max error" is the largest one found against a
// reference of at least 100 bits, in units in the last place (ULP). Coefficients are our own minimax fits.

// The exponent-and-fraction bits of x without its sign: ordered like |x|, and a NaN is above infinity.
static inline __attribute__((always_inline)) pf_i8 pf_size_f8(pf_f8 x)
{
    return (pf_i8)(pf_bits_f8(x) & 0x7fffffffffffffffULL);
}
// `magnitude` with the sign of `sign`; the magnitude's own sign bit must be clear.
static inline __attribute__((always_inline)) pf_f8 pf_with_sign_f8(pf_f8 magnitude, pf_f8 sign)
{
    return pf_from_bits_f8(pf_bits_f8(magnitude) | (pf_bits_f8(sign) & 0x8000000000000000ULL));
}

// e^r - 1 for |r| <= ln(2) / 2: r + r^2 q(r), q of degree 9, relative error of e^r 2^-57. Only its sum with 1 is
// accurate near r = 0, where 2^-300 keeps the square from underflowing.
static inline __attribute__((always_inline)) pf_f8 pf_exp_reduced_f8(pf_f8 r)
{
    pf_f8 square = __builtin_fma(r, r, 0x1p-300), fourth = square * square;
    pf_f8 q01 = __builtin_fma(0x1.55555555554fdp-3, r, 0x1.000000000000ap-1);
    pf_f8 q23 = __builtin_fma(0x1.1111111127e06p-7, r, 0x1.55555555504fap-5);
    pf_f8 q45 = __builtin_fma(0x1.a01a012342164p-13, r, 0x1.6c16c185182fep-10);
    pf_f8 q67 = __builtin_fma(0x1.71df4516acb06p-19, r, 0x1.a01997329d5fbp-16);
    pf_f8 q89 = __builtin_fma(0x1.ad3343d01c41fp-26, r, 0x1.28b04eaf7ab7cp-22);
    pf_f8 q47 = __builtin_fma(__builtin_fma(q89, square, q67), square, q45);
    return __builtin_fma(__builtin_fma(q47, fourth, __builtin_fma(q23, square, q01)), square, r);
}
// 2^n e^r by r = x - n ln(2) (ln(2) in two parts, FMA), scaled in two steps so that the result rounds once when it
// is subnormal and overflow and underflow are the hardware's own. Max error 0.9.
static inline __attribute__((always_inline)) pf_f8 pf_exp_f8(pf_f8 x)
{
    pf_i8 size = pf_size_f8(x);
    pf_f8 bounded = pf_select_f8(size > 0x4089000000000000LL, pf_with_sign_f8(800.0, x), x);
    pf_f8 shifted = __builtin_fma(bounded, 0x1.71547652b82fep+0, 0x1.8p52 + 2046);
    pf_f8 n = shifted - (0x1.8p52 + 2046);
    pf_f8 r = __builtin_fma(n, -0x1.62e42fefa39efp-1, bounded);
    r = __builtin_fma(n, -0x1.abc9e3b39803fp-56, r);
    pf_u8 biased = pf_bits_f8(shifted);  // its low 12 bits: n + 2046, the sum of two biased exponents
    pf_f8 first = pf_from_bits_f8((biased >> 1) << 52), second = pf_from_bits_f8((biased - (biased >> 1)) << 52);
    pf_f8 limit = pf_select_f8(pf_bits_f8(x) == 0xfff0000000000000ULL, 0.0, x);  // what e^x is at infinities and NaN
    second = pf_select_f8(size >= 0x7ff0000000000000LL, limit, second);
    return __builtin_fma(pf_exp_reduced_f8(r), first, first) * second;
}

// 2^n 2^r, r = x - n exact, 2^r = 1 + r p(r), p of degree 10. Otherwise as exp. Max error 0.8.
static inline __attribute__((always_inline)) pf_f8 pf_exp2_f8(pf_f8 x)
{
    pf_i8 size = pf_size_f8(x);
    pf_f8 bounded = pf_select_f8(size > 0x4092c00000000000LL, pf_with_sign_f8(1200.0, x), x);
    pf_f8 shifted = bounded + (0x1.8p52 + 2046);
    pf_f8 r = bounded - (shifted - (0x1.8p52 + 2046));
    pf_f8 square = __builtin_fma(r, r, 0x1p-300), fourth = square * square;
    pf_f8 p12 = __builtin_fma(0x1.c6b08d704a228p-5, r, 0x1.ebfbdff82c5aap-3);
    pf_f8 p34 = __builtin_fma(0x1.5d87fe785bffbp-10, r, 0x1.3b2ab6fb9f0c7p-7);
    pf_f8 p56 = __builtin_fma(0x1.ffcbfddaf7b8dp-17, r, 0x1.430913122a22ep-13);
    pf_f8 p78 = __builtin_fma(0x1.b521d49919071p-24, r, 0x1.62bfbf394cdefp-20);
    pf_f8 p9a = __builtin_fma(0x1.eeb6c8e53d0fap-32, r, 0x1.e629cac1a4205p-28);
    pf_f8 p5a = __builtin_fma(__builtin_fma(p9a, square, p78), square, p56);
    pf_f8 p = __builtin_fma(__builtin_fma(p5a, fourth, __builtin_fma(p34, square, p12)), r, 0x1.62e42fefa39efp-1);
    pf_u8 biased = pf_bits_f8(shifted);
    pf_f8 first = pf_from_bits_f8((biased >> 1) << 52), second = pf_from_bits_f8((biased - (biased >> 1)) << 52);
    pf_f8 limit = pf_select_f8(pf_bits_f8(x) == 0xfff0000000000000ULL, 0.0, x);
    second = pf_select_f8(size >= 0x7ff0000000000000LL, limit, second);
    pf_f8 result = __builtin_fma(p, r * first, first) * second;
    return __builtin_fma(result, 0x1p-70, result);  // underflow where the result is subnormal, if exact too
}
// r q(r) of e^r - 1 = r + r^2 q(r) for |r| <= ln(2) / 2, q of degree 10, relative error of e^r - 1 2^-59.
static inline __attribute__((always_inline)) pf_f8 pf_expm1_factor_f8(pf_f8 r)
{
    pf_f8 square = __builtin_fma(r, r, 0x1p-64), fourth = square * square;
    pf_f8 q01 = __builtin_fma(0x1.5555555555559p-3, r, 0x1.0000000000000p-1);
    pf_f8 q23 = __builtin_fma(0x1.111111110f3e5p-7, r, 0x1.5555555555556p-5);
    pf_f8 q45 = __builtin_fma(0x1.a01a01b123591p-13, r, 0x1.6c16c16c1665ep-10);
    pf_f8 q67 = __builtin_fma(0x1.71ddf4e46ed71p-19, r, 0x1.a01a01a504f90p-16);
    pf_f8 q89 = __builtin_fma(0x1.af6533007e83ap-26, r, 0x1.27e4e0ef5ca55p-22);
    pf_f8 q4a = __builtin_fma(__builtin_fma(0x1.1f67e917458c5p-29, square, q89), square, q67);
    pf_f8 q = __builtin_fma(__builtin_fma(q4a, square, q45), fourth, __builtin_fma(q23, square, q01));
    return r * q;
}
// 2^n (e^r - 1) + (2^n - 1), halved until the end so that 2^1024 does not appear. Max error 1.7.
static inline __attribute__((always_inline)) pf_f8 pf_expm1_f8(pf_f8 x)
{
    pf_i8 size = pf_size_f8(x);
    pf_b1 finite = size < 0x7ff0000000000000LL, small = size < 0x3fd6000000000000LL;  // below 0.34, n is 0
    pf_f8 limit = pf_select_f8(((pf_i8)pf_bits_f8(x) >= 0) & finite, 710.0, -40.0);
    pf_f8 bounded = pf_select_f8(size > pf_size_f8(limit), limit, x);
    pf_f8 shifted = __builtin_fma(bounded, 0x1.71547652b82fep+0, 0x1.8p52 + 1022);
    pf_f8 n = shifted - (0x1.8p52 + 1022);
    pf_f8 exact = __builtin_fma(n, -0x1.62e42fefa39efp-1, bounded);
    pf_f8 r = __builtin_fma(n, -0x1.abc9e3b39803fp-56, exact);
    pf_f8 tail = __builtin_fma(n, -0x1.abc9e3b39803fp-56, exact - r);
    pf_f8 scale = pf_from_bits_f8(pf_bits_f8(shifted) << 52), factor = pf_expm1_factor_f8(r);
    pf_f8 near = pf_from_bits_f8((pf_u8)pf_size_f8(__builtin_fma(factor, r, r)));
    pf_f8 far = r + __builtin_fma(factor, pf_select_f8(small, 1.0, r), tail);  // 1: no underflow where it is not used
    pf_f8 result = pf_select_f8(small, pf_with_sign_f8(near, x), 2.0 * __builtin_fma(scale, far, scale - 0.5));
    pf_f8 end = pf_select_f8(pf_bits_f8(x) == 0xfff0000000000000ULL, -1.0, x);
    return pf_select_f8(finite, result, end);
}
// e^-|x| / (1 + e^-|x|) or 1 / (1 + e^-|x|), by the sign of x; the quotient is corrected by its remainder.
// Max error 1.5.
static inline __attribute__((always_inline)) pf_f8 pf_expit_f8(pf_f8 x)
{
    pf_i8 size = pf_size_f8(x);
    pf_b1 negative = (pf_i8)pf_bits_f8(x) < 0;
    pf_f8 limit = pf_select_f8(negative, 800.0, 40.0);
    pf_f8 bounded = pf_select_f8(size > pf_size_f8(limit), -limit, pf_with_sign_f8(pf_from_bits_f8((pf_u8)size), -1.0));
    pf_f8 shifted = __builtin_fma(bounded, 0x1.71547652b82fep+0, 0x1.8p52 + 2046);
    pf_f8 n = shifted - (0x1.8p52 + 2046);
    pf_f8 exact = __builtin_fma(n, -0x1.62e42fefa39efp-1, bounded);
    pf_f8 r = __builtin_fma(n, -0x1.abc9e3b39803fp-56, exact);
    pf_f8 tail = __builtin_fma(n, -0x1.abc9e3b39803fp-56, exact - r);
    pf_f8 near = 1.0 + r, power = near + ((1.0 - near) + r + ((pf_exp_reduced_f8(r) - r) + tail));
    pf_u8 biased = pf_bits_f8(shifted);
    pf_f8 first = pf_from_bits_f8((biased >> 1) << 52), second = pf_from_bits_f8((biased - (biased >> 1)) << 52);
    second = pf_select_f8(size >= 0x7ff0000000000000LL, 0.0, second);
    pf_f8 z = power * first * second, divisor = 1.0 + z, inverse = 1.0 / divisor;
    pf_f8 numerator = pf_select_f8(negative, power * first, 1.0), quotient = numerator * inverse;
    pf_f8 remainder = __builtin_fma(-quotient, (1.0 - divisor) + z, __builtin_fma(-quotient, divisor, numerator));
    pf_f8 result = __builtin_fma(remainder, inverse, quotient) * pf_select_f8(negative, second, 1.0);
    return pf_select_f8(size > 0x7ff0000000000000LL, x, result);
}

// x = 2^k m with m in [sqrt(1/2), sqrt(2)), for positive finite x; any m of that range for other x.
static inline __attribute__((always_inline)) pf_f8 pf_log_fraction_f8(pf_f8 x, pf_f8 *k)
{
    pf_i8 subnormal = -(pf_i8)(pf_size_f8(x) < 0x0010000000000000LL);
    pf_f8 scaled = x * pf_from_bits_f8((pf_u8)(0x3ff0000000000000LL + (subnormal & (54LL << 52))));
    pf_u8 shifted = pf_bits_f8(scaled) + (0x3ff0000000000000ULL - 0x3fe6a09e00000000ULL);
    pf_u8 exponent = (shifted >> 52) - ((pf_u8)subnormal & 54);
    *k = pf_from_bits_f8(exponent + 0x4330000000000000ULL + 1023) - (0x1p52 + 2046);
    return pf_from_bits_f8((shifted & 0x000fffffffffffffULL) + 0x3fe6a09e00000000ULL);
}
// Where a logarithm's argument is no positive finite number.
static inline __attribute__((always_inline)) pf_b1 pf_log_special_f8(pf_f8 x)
{
    pf_i8 bits = (pf_i8)pf_bits_f8(x);
    return (bits <= 0) | (bits == 0x7ff0000000000000LL) | (pf_size_f8(x) > 0x7ff0000000000000LL);
}
// f / (2 + f) for log(1 + f) of an ordinary x; for a special x its logarithm, with the flag: -1 / 0 at zero, 0 / 0
// below.
static inline __attribute__((always_inline)) pf_f8 pf_log_quotient_f8(pf_f8 x, pf_f8 f)
{
    pf_i8 bits = (pf_i8)pf_bits_f8(x), size = pf_size_f8(x);
    pf_b1 quiet = (bits == 0x7ff0000000000000LL) | (size > 0x7ff0000000000000LL);
    pf_b1 special = (bits <= 0) | quiet;
    pf_f8 zero_or_below = pf_from_bits_f8(pf_bits_f8(-1.0) & -(pf_u8)(size == 0));
    pf_f8 numerator = pf_select_f8(quiet, x, pf_select_f8(special, zero_or_below, f));
    return numerator / pf_select_f8(quiet, 1.0, pf_select_f8(special, 0.0, 2.0 + f));
}
// half + z (2/3 + z (2/5 + ...)), z = s^2: times s, this is log(1 + f) - f + half when half = f^2/2 (fdlibm's form).
static inline __attribute__((always_inline)) pf_f8 pf_log_series_f8(pf_f8 s, pf_f8 half)
{
    pf_f8 z = s * s, w = z * z;
    pf_f8 odd = __builtin_fma(w, __builtin_fma(w, __builtin_fma(w, 0x1.2f116fb926e28p-3, 0x1.746649a242412p-3),
                                               0x1.249249422a09fp-2), 0x1.5555555555593p-1);
    pf_f8 even = __builtin_fma(w, __builtin_fma(w, 0x1.39a097002bf90p-3, 0x1.c71c51d808ef5p-3), 0x1.999999997f9fbp-2);
    return __builtin_fma(z, __builtin_fma(z, even, odd), half);
}
// x = 2^k m: k ln(2) + (f - (f^2/2 - s (f^2/2 + R(s^2)))), f = m - 1, s = f / (2 + f), ln(2) in two parts. The
// division also makes the result and the flag at zero, below zero, at infinity and NaN. Max error 0.8.
static inline __attribute__((always_inline)) pf_f8 pf_log_f8(pf_f8 x)
{
    pf_f8 k, f = pf_log_fraction_f8(x, &k) - 1.0;
    pf_f8 s = pf_log_quotient_f8(x, f), half = 0.5 * f * f;
    pf_f8 low = __builtin_fma(k, -0x1.718432a1b0e26p-35, -half);
    pf_f8 normal = __builtin_fma(k, 0x1.62e42ff000000p-1, f + __builtin_fma(s, pf_log_series_f8(s, half), low));
    return pf_select_f8(pf_log_special_f8(x), s, normal);
}
// log(m) as the sum of the result and *low.
static inline __attribute__((always_inline)) pf_f8 pf_log_parts_f8(pf_f8 f, pf_f8 s, pf_f8 *low)
{
    pf_f8 half = 0.5 * f * f, high = f - half;
    *low = __builtin_fma(s, pf_log_series_f8(s, half), (f - high) - half);
    return high;
}
// k + log(m) / ln(2), the quotient in two parts. Max error 0.7.
static inline __attribute__((always_inline)) pf_f8 pf_log2_f8(pf_f8 x)
{
    pf_f8 k, low, f = pf_log_fraction_f8(x, &k) - 1.0;
    pf_f8 s = pf_log_quotient_f8(x, f), high = pf_log_parts_f8(f, s, &low);
    pf_f8 product = high * 0x1.71547652b82fep+0;
    pf_f8 rest = __builtin_fma(high, 0x1.71547652b82fep+0, -product);
    rest = __builtin_fma(low, 0x1.71547652b82fep+0, __builtin_fma(high, 0x1.777d0ffda0d24p-56, rest));
    pf_f8 sum = k + product;
    pf_f8 normal = sum + ((k - sum) + product + rest);
    return pf_select_f8(pf_log_special_f8(x), s, normal);
}
// k log10(2) + log(m) / ln(10), the quotient in two parts. Max error 0.8.
static inline __attribute__((always_inline)) pf_f8 pf_log10_f8(pf_f8 x)
{
    pf_f8 k, low, f = pf_log_fraction_f8(x, &k) - 1.0;
    pf_f8 s = pf_log_quotient_f8(x, f), high = pf_log_parts_f8(f, s, &low);
    pf_f8 product = high * 0x1.bcb7b1526e50ep-2;
    pf_f8 rest = __builtin_fma(high, 0x1.bcb7b1526e50ep-2, -product);
    rest = __builtin_fma(low, 0x1.bcb7b1526e50ep-2, __builtin_fma(high, 0x1.95355baaafad3p-57, rest));
    rest = __builtin_fma(k, -0x1.80433b83b532ap-44, rest);
    pf_f8 whole = k * 0x1.34413509f8000p-2, sum = whole + product;
    pf_f8 normal = sum + ((whole - sum) + product + rest);
    return pf_select_f8(pf_log_special_f8(x), s, normal);
}
// 1 + x = 2^k (1 + f), f = 2^-k x + (2^-k - 1) rounded once from x itself, then as log. Max error 1.3.
static inline __attribute__((always_inline)) pf_f8 pf_log1p_f8(pf_f8 x)
{
    pf_f8 k, u = 1.0 + x, m = pf_log_fraction_f8(u, &k);
    pf_i8 size = pf_size_f8(x);
    pf_b1 tiny = size < 0x3c90000000000000LL, large = size >= 0x4350000000000000LL;
    pf_f8 scale = pf_from_bits_f8((pf_bits_f8(u) - pf_bits_f8(m)) & 0xfff0000000000000ULL);
    scale = pf_from_bits_f8(0x3ff0000000000000ULL - pf_bits_f8(scale));
    scale = pf_select_f8(large, 1.0, scale);
    pf_f8 f = __builtin_fma(x, scale, scale - 1.0);
    f = pf_select_f8(large, m - 1.0, pf_select_f8(tiny, 1.0, f));
    pf_f8 s = pf_log_quotient_f8(u, f), half = 0.5 * f * f;
    pf_f8 low = __builtin_fma(k, -0x1.718432a1b0e26p-35, -half);
    pf_f8 normal = __builtin_fma(k, 0x1.62e42ff000000p-1, f + __builtin_fma(s, pf_log_series_f8(s, half), low));
    pf_f8 result = pf_select_f8(tiny, x, pf_select_f8(pf_log_special_f8(u), s, normal));
    return __builtin_fma(result, 0x1p-70, result);  // underflow where the result is subnormal
}

// |x| < 0.8: x + x^3 P/Q; else 1 - 2 / (e^2x + 1) (one shared division; Cephes' split). Max error 1.0x.
static inline __attribute__((always_inline)) pf_f8 pf_tanh_f8(pf_f8 x)
{
    pf_i8 size = pf_size_f8(x);
    pf_f8 a = pf_from_bits_f8((pf_u8)size);
    pf_f8 bounded = pf_select_f8((size > 0x4036000000000000LL) & (size <= 0x7ff0000000000000LL), 22.0, a);
    pf_f8 shifted = __builtin_fma(bounded, 0x1.71547652b82fep+1, 0x1.8p52 + 1023);
    pf_f8 n = shifted - (0x1.8p52 + 1023);
    pf_f8 r = __builtin_fma(n, -0x1.62e42fefa39efp-1, bounded + bounded);
    r = __builtin_fma(n, -0x1.abc9e3b39803fp-56, r);
    pf_f8 scale = pf_from_bits_f8(pf_bits_f8(shifted) << 52);
    pf_f8 above = __builtin_fma(scale, pf_exp_reduced_f8(r), scale + 1.0);
    pf_f8 z = __builtin_fma(bounded, bounded, 0x1p-64);  // the 2^-64 keeps it from underflowing
    pf_f8 p = __builtin_fma(z, -0x1.a0986dcdcdaa8p-13, -0x1.4fa7f3af22c6ap-6);
    p = z * __builtin_fma(z, p, -0x1.5555555555537p-2);
    pf_f8 q = __builtin_fma(z, __builtin_fma(z, __builtin_fma(z, 0x1.aff1572dd4731p-13, 0x1.7d57f6dfd9129p-6),
                                             0x1.d889174a6f675p-2), 1.0);
    pf_b1 small = size < 0x3fe999999999999aLL;  // 0.8
    pf_f8 quotient = pf_select_f8(small, p, -2.0) / pf_select_f8(small, q, above);
    pf_f8 leading = pf_select_f8(small, a, 1.0);
    return pf_with_sign_f8(__builtin_fma(leading, quotient, leading), x);
}

// e^a / 2 as (result + low) * second, low at most a tenth of the result, a <= 711, accurately: e^r = 1 +
// r + r^2 q in two parts.
static inline __attribute__((always_inline)) pf_f8 pf_half_exp_f8(pf_f8 a, pf_f8 *low, pf_f8 *second)
{
    pf_f8 shifted = __builtin_fma(a, 0x1.71547652b82fep+0, 0x1.8p52 + 2045);
    pf_f8 n = shifted - (0x1.8p52 + 2045);
    pf_f8 exact = __builtin_fma(n, -0x1.62e42fefa39efp-1, a);
    pf_f8 r = __builtin_fma(n, -0x1.abc9e3b39803fp-56, exact);
    pf_f8 tail = __builtin_fma(n, -0x1.abc9e3b39803fp-56, exact - r);
    pf_u8 biased = pf_bits_f8(shifted);
    pf_f8 first = pf_from_bits_f8((biased >> 1) << 52);
    pf_f8 near = 1.0 + r;
    *low = ((1.0 - near) + r + ((pf_exp_reduced_f8(r) - r) + tail)) * first;
    *second = pf_from_bits_f8((biased - (biased >> 1)) << 52);
    return near * first;
}
// e^-a / (2 second), or 0 where that does not matter (and might underflow), from `half` and `second` of e^a / 2.
static inline __attribute__((always_inline)) pf_f8 pf_opposite_exp_f8(pf_f8 a, pf_f8 half, pf_f8 second)
{
    pf_f8 inverse = pf_from_bits_f8(0x7fe0000000000000ULL - pf_bits_f8(second));
    pf_f8 quarter = pf_select_f8(pf_size_f8(a) > 0x4044000000000000LL, 0.0, 0.25);
    return quarter / half * inverse * inverse;
}
// |x| < 1: x + x^3 P(x^2); else e^|x| / 2 - e^-|x| / 2, the first of them in two parts. Max error 0.9.
static inline __attribute__((always_inline)) pf_f8 pf_sinh_f8(pf_f8 x)
{
    pf_i8 size = pf_size_f8(x);
    pf_f8 a = pf_select_f8(size > 0x4086380000000000LL, 711.0, pf_from_bits_f8((pf_u8)size));
    pf_f8 bounded = pf_select_f8(size >= 0x7ff0000000000000LL, 1.0, a), low, second;
    pf_f8 high = pf_half_exp_f8(bounded, &low, &second);
    pf_f8 opposite = pf_opposite_exp_f8(bounded, high + low, second);
    pf_f8 large = (high + (low - opposite)) * second;
    pf_f8 z = __builtin_fma(bounded, bounded, 0x1p-64), w = z * z;
    pf_f8 p = __builtin_fma(z, 0x1.b4cf549b9e321p-41, 0x1.611a3ab3eb3aep-33);
    p = __builtin_fma(p, w, __builtin_fma(z, 0x1.ae646764b9969p-26, 0x1.71de3a45f9e69p-19));
    p = __builtin_fma(p, w, __builtin_fma(z, 0x1.a01a01a0291b9p-13, 0x1.11111111110a1p-7));
    p = __builtin_fma(p, z, 0x1.5555555555556p-3);
    pf_f8 result = pf_select_f8(size < 0x3ff0000000000000LL, __builtin_fma(bounded, z * p, bounded), large);
    return pf_select_f8(size >= 0x7ff0000000000000LL, x, pf_with_sign_f8(result, x));
}
// e^|x| / 2 + e^-|x| / 2, the first of them in two parts. Max error 0.9.
static inline __attribute__((always_inline)) pf_f8 pf_cosh_f8(pf_f8 x)
{
    pf_i8 size = pf_size_f8(x);
    pf_f8 a = pf_from_bits_f8((pf_u8)size);
    pf_f8 bounded = pf_select_f8(size > 0x4086380000000000LL, 711.0, a), low, second;
    bounded = pf_select_f8(size >= 0x7ff0000000000000LL, 1.0, bounded);
    pf_f8 high = pf_half_exp_f8(bounded, &low, &second);
    pf_f8 opposite = pf_opposite_exp_f8(bounded, high + low, second);
    return pf_select_f8(size >= 0x7ff0000000000000LL, a, (high + (low + opposite)) * second);
}

// |x| = 8^k y, y in [0.35, 2.83): y^(-1/3) by a polynomial on a third of the range and one Halley step, then a
// Newton step for the cube root with the residual in FMA. Max error 0.5.
static inline __attribute__((always_inline)) pf_f8 pf_cbrt_f8(pf_f8 x)
{
    pf_i8 size = pf_size_f8(x);
    pf_f8 exponent, m = pf_log_fraction_f8(pf_from_bits_f8((pf_u8)size), &exponent);
    pf_f8 shifted = __builtin_fma(exponent, 0x1.5555555555555p-2, 0x1.8p52 + 1023);
    pf_f8 rest = __builtin_fma(shifted - (0x1.8p52 + 1023), -3.0, exponent);
    pf_b1 up = rest == 1.0, down = rest == -1.0;
    pf_f8 y = m * pf_select_f8(up, 2.0, pf_select_f8(down, 0.5, 1.0));
    pf_f8 z = m * m;
    pf_f8 u = __builtin_fma(m, 0x1.06de08d7830dep-3 * m, __builtin_fma(m, -0x1.679a27b67bb84p-1, 0x1.8fb115052dc20p+0));
    u = __builtin_fma(u, z, __builtin_fma(m, -0x1.dca2d9a24c357p+0, 0x1.dfe18a53a0fc2p+0));
    u *= pf_select_f8(up, 0x1.965fea53d6e3dp-1, pf_select_f8(down, 0x1.428a2f98d728bp+0, 1.0));
    pf_f8 miss = __builtin_fma(-y * u, u * u, 1.0);
    u = __builtin_fma(u * miss, __builtin_fma(miss, 0x1.c71c71c71c71cp-3, 0x1.5555555555555p-2), u);
    pf_f8 square = u * u, root = y * square;
    pf_f8 cube = root * root, cube_low = __builtin_fma(root, root, -cube);
    pf_f8 residual = __builtin_fma(-cube_low, root, __builtin_fma(-cube, root, y));
    root = __builtin_fma(residual, square * 0x1.5555555555555p-2, root);
    root *= pf_from_bits_f8(pf_bits_f8(shifted) << 52);
    pf_b1 special = (size == 0) | (size >= 0x7ff0000000000000LL);
    return pf_select_f8(special, x, pf_with_sign_f8(root, x));
}


// sqrt(x^2 + y^2), both scaled by a power of two where a square might overflow or underflow; the 2^-1000 keeps the
// smaller square from underflowing. Infinite if either is, even beside a NaN. Max error 1.0.
static inline __attribute__((always_inline)) pf_f8 pf_hypot_f8(pf_f8 x, pf_f8 y)
{
    pf_i8 a = pf_size_f8(x), b = pf_size_f8(y), infinity = 0x7ff0000000000000LL;
    pf_b1 swap = a < b;
    pf_f8 large = pf_from_bits_f8(swap ? (pf_u8)b : (pf_u8)a), small = pf_from_bits_f8(swap ? (pf_u8)a : (pf_u8)b);
    pf_i8 size = pf_size_f8(large);
    pf_b1 high = size > 0x5fe0000000000000LL, low = (size < 0x23d0000000000000LL) & (size != 0);
    pf_f8 scale = pf_select_f8(high, 0x1p-700, pf_select_f8(low, 0x1p700, 1.0));
    pf_f8 back = pf_select_f8(high, 0x1p700, pf_select_f8(low, 0x1p-700, 1.0));
    large *= scale;
    small *= scale;
    pf_f8 root = __builtin_sqrt(__builtin_fma(large, large, __builtin_fma(small, small, 0x1p-1000))) * back;
    root = __builtin_fma(root, 0x1p-70, root);  // underflow where the result is subnormal
    root = pf_select_f8(size == 0, 0.0, root);
    return pf_select_f8((a == infinity) | (b == infinity), __builtin_inf(), root);
}
