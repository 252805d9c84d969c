// Elementary functions of double, named after NumPy's ufuncs: exponentials, logarithms and hyperbolic functions.
// Each is straight-line arithmetic that the compiler vectorises; "max error" is the largest one found against a
// reference of at least 100 bits, in units in the last place (ULP). Coefficients are our own minimax fits.

// The exponent-and-fraction bits of x without its sign: ordered like |x|, and a NaN is above infinity.
static inline pf_i8 pf_magnitude_f8(pf_f8 x) { return (pf_i8)(pf_bits_f8(x) & 0x7fffffffffffffffULL); }
// `magnitude` with the sign of `sign`; the magnitude's own sign bit must be clear.
static inline pf_f8 pf_with_sign_f8(pf_f8 magnitude, pf_f8 sign)
{
    return pf_from_bits_f8(pf_bits_f8(magnitude) | (pf_bits_f8(sign) & 0x8000000000000000ULL));
}

// e^r - 1 for |r| <= ln(2) / 2: r + r^2 q(r), q of degree 9, relative error of e^r 2^-57. Only its sum with 1 is accurate
// near r = 0, where 2^-300 keeps the square from underflowing.
static inline pf_f8 pf_exp_reduced_f8(pf_f8 r)
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
// 2^n e^r by r = x - n ln(2) (ln(2) in two parts, FMA), scaled in two steps so that the result rounds once when it is
// subnormal and overflow and underflow are the hardware's own. Max error 0.9.
static inline pf_f8 pf_exp_f8(pf_f8 x)
{
    pf_i8 size = pf_magnitude_f8(x);
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

// x = 2^k m, m in [sqrt(1/2), sqrt(2)): log(m) = f - (f^2/2 - s (f^2/2 + R(s^2))), f = m - 1, s = f / (2 + f) (fdlibm's
// method). The division also makes the result and the flag at zero, below zero, at infinity and NaN. Max error 0.8.
static inline pf_f8 pf_log_f8(pf_f8 x)
{
    pf_i8 bits = (pf_i8)pf_bits_f8(x), size = pf_magnitude_f8(x);
    pf_i8 subnormal = -(pf_i8)(size < 0x0010000000000000LL);
    pf_f8 scaled = x * pf_from_bits_f8((pf_u8)(0x3ff0000000000000LL + (subnormal & (54LL << 52))));
    pf_i8 shifted = (pf_i8)pf_bits_f8(scaled) + (0x3ff0000000000000LL - 0x3fe6a09e00000000LL);
    pf_f8 m = pf_from_bits_f8((pf_u8)((shifted & 0x000fffffffffffffLL) + 0x3fe6a09e00000000LL));
    pf_u8 exponent = ((pf_u8)shifted >> 52) - ((pf_u8)subnormal & 54);
    pf_f8 k = pf_from_bits_f8(exponent + 0x4330000000000000ULL + 1023) - (0x1p52 + 2046);
    pf_f8 f = m - 1.0;
    pf_b1 quiet = (bits == 0x7ff0000000000000LL) | (size > 0x7ff0000000000000LL);
    pf_b1 special = (bits <= 0) | quiet;
    pf_f8 zero_or_below = pf_from_bits_f8(pf_bits_f8(-1.0) & -(pf_u8)(size == 0));
    pf_f8 numerator = pf_select_f8(quiet, x, pf_select_f8(special, zero_or_below, f));
    pf_f8 s = numerator / pf_select_f8(quiet, 1.0, pf_select_f8(special, 0.0, 1.0 + m));
    pf_f8 z = s * s, w = z * z, half = 0.5 * f * f;
    pf_f8 odd = __builtin_fma(w, __builtin_fma(w, __builtin_fma(w, 0x1.2f116fb926e28p-3, 0x1.746649a242412p-3),
                                               0x1.249249422a09fp-2), 0x1.5555555555593p-1);
    pf_f8 even = __builtin_fma(w, __builtin_fma(w, 0x1.39a097002bf90p-3, 0x1.c71c51d808ef5p-3), 0x1.999999997f9fbp-2);
    pf_f8 sum = __builtin_fma(z, __builtin_fma(z, even, odd), half);
    pf_f8 rest = __builtin_fma(s, sum, __builtin_fma(k, -0x1.718432a1b0e26p-35, -half));
    pf_f8 normal = __builtin_fma(k, 0x1.62e42ff000000p-1, f + rest);
    return pf_select_f8(special, s, normal);
}

// |x| < 0.8: x + x^3 P/Q; else 1 - 2 / (e^2x + 1) (one shared division; Cephes' split). Max error 1.0x.
static inline pf_f8 pf_tanh_f8(pf_f8 x)
{
    pf_i8 size = pf_magnitude_f8(x);
    pf_f8 a = pf_from_bits_f8((pf_u8)size);
    pf_f8 bounded = pf_select_f8((size > 0x4036000000000000LL) & (size <= 0x7ff0000000000000LL), 22.0, a);
    pf_f8 shifted = __builtin_fma(bounded, 0x1.71547652b82fep+1, 0x1.8p52 + 1023);
    pf_f8 n = shifted - (0x1.8p52 + 1023);
    pf_f8 r = __builtin_fma(n, -0x1.62e42fefa39efp-1, bounded + bounded);
    r = __builtin_fma(n, -0x1.abc9e3b39803fp-56, r);
    pf_f8 scale = pf_from_bits_f8(pf_bits_f8(shifted) << 52);
    pf_f8 above = __builtin_fma(scale, pf_exp_reduced_f8(r), scale + 1.0);
    pf_f8 z = __builtin_fma(bounded, bounded, 0x1p-64);  // the 2^-64 keeps it from underflowing
    pf_f8 p = z * __builtin_fma(z, __builtin_fma(z, -0x1.a0986dcdcdaa8p-13, -0x1.4fa7f3af22c6ap-6), -0x1.5555555555537p-2);
    pf_f8 q = __builtin_fma(z, __builtin_fma(z, __builtin_fma(z, 0x1.aff1572dd4731p-13, 0x1.7d57f6dfd9129p-6),
                                             0x1.d889174a6f675p-2), 1.0);
    pf_b1 small = size < 0x3fe999999999999aLL;  // 0.8
    pf_f8 quotient = pf_select_f8(small, p, -2.0) / pf_select_f8(small, q, above);
    pf_f8 leading = pf_select_f8(small, a, 1.0);
    return pf_with_sign_f8(__builtin_fma(leading, quotient, leading), x);
}
