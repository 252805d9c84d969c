// Complex numbers. NumPy's own algorithms are written out; where it calls libm's complex functions, so does this.
//
// gcc 12 makes a product with an alternating subtraction and addition (the two parts of a complex product) into one
// fused instruction, even under -ffp-contract=off. So nothing here shows it a difference in one part and a sum in the
// other: a negated operand is hidden by flipping its sign bit as an integer.

//@ for T in c8 c16
static inline pf_$T pf_add_$T(pf_$T a, pf_$T b) { return (pf_$T){a.re + b.re, a.im + b.im}; }
static inline pf_$T pf_subtract_$T(pf_$T a, pf_$T b) { return (pf_$T){a.re - b.re, a.im - b.im}; }
/* NumPy's vector loop on a machine with fused multiply-add, for arrays of any strides. (Its scalars do not fuse. With a
 * huge scalar operand and an odd length, NumPy may report an overflow of a filling element; this does not.) */
static inline pf_$T pf_multiply_$T(pf_$T a, pf_$T b)
{
    return (pf_$T){pf_fma_$F(a.re, b.re, -(a.im * b.im)), pf_fma_$F(a.re, b.im, a.im * b.re)};
}
/* Its scalar loop, and its vector loop on a machine without. */
static inline pf_$T pf_multiply_unfused_$T(pf_$T a, pf_$T b)
{
    return (pf_$T){a.re * b.re - a.im * b.im, a.re * b.im - a.im * pf_flip_sign_$F(b.re)};
}
static inline pf_$T pf_square_$T(pf_$T a) { return pf_multiply_$T(a, a); }
static inline pf_$T pf_square_unfused_$T(pf_$T a) { return pf_multiply_unfused_$T(a, a); }
static inline pf_$T pf_negative_$T(pf_$T a) { return (pf_$T){-a.re, -a.im}; }
static inline pf_$T pf_positive_$T(pf_$T a) { return a; }
static inline pf_$T pf_conjugate_$T(pf_$T a) { return (pf_$T){a.re, pf_flip_sign_$F(a.im)}; }
static inline pf_$T pf_rint_$T(pf_$T a) { return (pf_$T){pf_rint_$F(a.re), pf_rint_$F(a.im)}; }
/* Smith's algorithm, scaled by the larger part of the divisor; finding that out reports a NaN there. */
static inline pf_$T pf_divide_$T(pf_$T a, pf_$T b, unsigned *status, const int careful)
{
    *status |= ~pf_ordered_mask_$F(b.re, b.im) ? PF_INVALID : 0;
    const pf_$U zero = -(pf_$U)(b.re == 0) & -(pf_$U)(b.im == 0);
    *status |= zero & -(pf_$U)!careful ? PF_CAREFUL : 0;
    const pf_$U by_real = pf_at_most_mask_$F(pf_absolute_$F(b.im), pf_absolute_$F(b.re));
    const pf_$F large = pf_choose_$F(zero, (pf_$F)1, pf_choose_$F(by_real, b.re, b.im));
    const pf_$F small = pf_choose_$F(by_real, b.im, b.re);
    const pf_$F ratio = small / large, scale = 1 / (large + small * ratio);
    const pf_$F first = pf_keep_$F(~zero, pf_choose_$F(by_real, a.re, a.im));
    const pf_$F second = pf_keep_$F(~zero, pf_choose_$F(by_real, a.im, a.re));
    const pf_$F product = first * ratio;
    const pf_$F left = pf_choose_$F(by_real, second, product), right = pf_choose_$F(by_real, product, second);
    const pf_$T result = {(first + second * ratio) * scale, (left - right) * scale};
    if (!careful)
        return result;
    const pf_$F nothing = pf_choose_$F(zero, (pf_$F)0, (pf_$F)1);
    const pf_$T by_zero = {pf_keep_$F(zero, a.re) / nothing, pf_keep_$F(zero, a.im) / nothing};
    return pf_choose_$T(zero, by_zero, result);
}
static inline pf_$T pf_reciprocal_$T(pf_$T a, unsigned *status)
{
    *status |= ~pf_ordered_mask_$F(a.re, a.im) ? PF_INVALID : 0;
    const pf_$U by_real = pf_at_most_mask_$F(pf_absolute_$F(a.im), pf_absolute_$F(a.re));
    const pf_$F large = pf_choose_$F(by_real, a.re, a.im), small = pf_choose_$F(by_real, a.im, a.re);
    const pf_$F ratio = small / large, scaled = large + small * ratio;
    return (pf_$T){pf_choose_$F(by_real, (pf_$F)1, ratio) / scaled, pf_choose_$F(by_real, -ratio, (pf_$F)-1) / scaled};
}
/* NumPy's vector loop: not hypot, and no flag is left. The ratio of parts that differ by 2^32 or more adds nothing
 * to 1, so it is not formed, and raises no underflow. */
static inline pf_$F pf_absolute_fused_or_not_$T(pf_$T a, const int fused)
{
    const pf_$U infinity = pf_bits_$F((pf_$F)__builtin_inf());
    const pf_$U real = pf_magnitude_$F(a.re), imaginary = pf_magnitude_$F(a.im);
    const pf_$U infinite = -(pf_$U)((real == infinity) | (imaginary == infinity));
    const pf_$U nan = -(pf_$U)((real > infinity) | (imaginary > infinity)) & ~infinite;
    const pf_$U large = real > imaginary ? real : imaginary, small = real > imaginary ? imaginary : real;
    const pf_$U close = -(pf_$U)((large - small) >> pf_fraction_bits_$F <= 32);
    const pf_$U matters = close & -(pf_$U)(large != 0) & ~infinite & ~nan;
    const pf_$F ratio = pf_from_bits_$F(small & matters) / pf_choose_$F(matters, pf_from_bits_$F(large), (pf_$F)1);
    const pf_$F root = pf_sqrt_$F(fused ? pf_fma_$F(ratio, ratio, (pf_$F)1) : ratio * ratio + 1);
    const pf_$F size = root * pf_from_bits_$F(large & ~infinite & ~nan);
    return pf_choose_$F(nan, (pf_$F)__builtin_nan(""), pf_choose_$F(infinite, (pf_$F)__builtin_inf(), size));
}
static inline pf_$F pf_absolute_$T(pf_$T a) { return pf_absolute_fused_or_not_$T(a, 1); }
static inline pf_$F pf_absolute_unfused_$T(pf_$T a) { return pf_absolute_fused_or_not_$T(a, 0); }
/* a / |a| by libm's hypot; along an infinite axis, the unit. */
static inline pf_$T pf_sign_$T(pf_$T a)
{
    const pf_$F size = pf_hypot_of_$F(a.re, a.im), nan = (pf_$F)__builtin_nan("");
    if (size != size || (pf_isinf_$F(a.re) && pf_isinf_$F(a.im)))
        return (pf_$T){nan, nan};
    if (pf_isinf_$F(a.re))
        return (pf_$T){pf_signbit_$F(a.re) ? -1 : 1, 0};
    if (pf_isinf_$F(size))
        return (pf_$T){0, pf_signbit_$F(a.im) ? -1 : 1};
    if (size == 0)
        return (pf_$T){0, 0};
    return (pf_$T){a.re / size, a.im / size};
}
static inline pf_b1 pf_isnan_$T(pf_$T a) { return (a.re != a.re) | (a.im != a.im); }
static inline pf_b1 pf_isinf_$T(pf_$T a) { return pf_isinf_$F(a.re) | pf_isinf_$F(a.im); }
static inline pf_b1 pf_isfinite_$T(pf_$T a) { return pf_isfinite_$F(a.re) & pf_isfinite_$F(a.im); }
static inline pf_b1 pf_equal_$T(pf_$T a, pf_$T b) { return (a.re == b.re) & (a.im == b.im); }
static inline pf_b1 pf_not_equal_$T(pf_$T a, pf_$T b) { return (a.re != b.re) | (a.im != b.im); }
/* By the real parts, then by the imaginary parts. A NaN imaginary part spoils the first, as in NumPy. */
static inline pf_$U pf_below_mask_$T(pf_$T a, pf_$T b)
{
    const pf_$U same = -(pf_$U)(a.re == b.re), ordered = pf_ordered_mask_$F(a.im, b.im);
    return (pf_below_mask_$F(a.re, b.re) & ordered) | (same & pf_below_mask_$F(a.im, b.im));
}
static inline pf_$U pf_at_most_mask_$T(pf_$T a, pf_$T b)
{
    const pf_$U same = -(pf_$U)(a.re == b.re), ordered = pf_ordered_mask_$F(a.im, b.im);
    return (pf_below_mask_$F(a.re, b.re) & ordered) | (same & pf_at_most_mask_$F(a.im, b.im));
}
/* NumPy's scalar comparisons report the NaN that they meet. */
static inline pf_b1 pf_less_$T(pf_$T a, pf_$T b, unsigned *status)
{
    const pf_$U same = -(pf_$U)(a.re == b.re);
    *status |= ~pf_ordered_mask_$F(a.re, b.re) | (same & ~pf_ordered_mask_$F(a.im, b.im)) ? PF_INVALID : 0;
    return (pf_b1)(pf_below_mask_$T(a, b) & 1);
}
static inline pf_b1 pf_less_equal_$T(pf_$T a, pf_$T b, unsigned *status)
{
    const pf_$U same = -(pf_$U)(a.re == b.re);
    *status |= ~pf_ordered_mask_$F(a.re, b.re) | (same & ~pf_ordered_mask_$F(a.im, b.im)) ? PF_INVALID : 0;
    return (pf_b1)(pf_at_most_mask_$T(a, b) & 1);
}
static inline pf_b1 pf_greater_$T(pf_$T a, pf_$T b, unsigned *status) { return pf_less_$T(b, a, status); }
static inline pf_b1 pf_greater_equal_$T(pf_$T a, pf_$T b, unsigned *status) { return pf_less_equal_$T(b, a, status); }
static inline pf_b1 pf_logical_not_$T(pf_$T a) { return (a.re == 0) & (a.im == 0); }
static inline pf_b1 pf_logical_and_$T(pf_$T a, pf_$T b) { return !pf_logical_not_$T(a) & !pf_logical_not_$T(b); }
static inline pf_b1 pf_logical_or_$T(pf_$T a, pf_$T b) { return !pf_logical_not_$T(a) | !pf_logical_not_$T(b); }
static inline pf_b1 pf_logical_xor_$T(pf_$T a, pf_$T b) { return pf_logical_not_$T(a) ^ pf_logical_not_$T(b); }
static inline pf_$T pf_keep_$T(pf_$U mask, pf_$T a) { return (pf_$T){pf_keep_$F(mask, a.re), pf_keep_$F(mask, a.im)}; }
static inline pf_$T pf_choose_$T(pf_$U mask, pf_$T a, pf_$T b)
{
    return (pf_$T){pf_choose_$F(mask, a.re, b.re), pf_choose_$F(mask, a.im, b.im)};
}
/* The first operand if it is NaN (fmax, fmin: if the second is), or ordered so; quiet, unlike the comparisons. */
static inline pf_$T pf_maximum_$T(pf_$T a, pf_$T b)
{
    return pf_choose_$T(~pf_ordered_mask_$F(a.re, a.im) | pf_at_most_mask_$T(b, a), a, b);
}
static inline pf_$T pf_minimum_$T(pf_$T a, pf_$T b)
{
    return pf_choose_$T(~pf_ordered_mask_$F(a.re, a.im) | pf_at_most_mask_$T(a, b), a, b);
}
static inline pf_$T pf_fmax_$T(pf_$T a, pf_$T b)
{
    return pf_choose_$T(~pf_ordered_mask_$F(b.re, b.im) | pf_at_most_mask_$T(b, a), a, b);
}
static inline pf_$T pf_fmin_$T(pf_$T a, pf_$T b)
{
    return pf_choose_$T(~pf_ordered_mask_$F(b.re, b.im) | pf_at_most_mask_$T(a, b), a, b);
}
//@ end

static const int pf_fraction_bits_f4 = 23;
static const int pf_fraction_bits_f8 = 52;
static inline pf_f4 pf_fma_f4(pf_f4 a, pf_f4 b, pf_f4 c) { return __builtin_fmaf(a, b, c); }
static inline pf_f8 pf_fma_f8(pf_f8 a, pf_f8 b, pf_f8 c) { return __builtin_fma(a, b, c); }

// libm.

extern float pf_c_libm_hypotf(float, float) __asm__("hypotf");
extern double pf_c_libm_hypot(double, double) __asm__("hypot");
extern float pf_c_libm_atan2f(float, float) __asm__("atan2f");
extern double pf_c_libm_atan2(double, double) __asm__("atan2");
extern float pf_c_libm_logf(float) __asm__("logf");
extern double pf_c_libm_log(double) __asm__("log");
extern float pf_c_libm_expm1f(float) __asm__("expm1f");
extern double pf_c_libm_expm1(double) __asm__("expm1");
extern float pf_c_libm_sinf(float) __asm__("sinf");
extern double pf_c_libm_sin(double) __asm__("sin");
extern float pf_c_libm_cosf(float) __asm__("cosf");
extern double pf_c_libm_cos(double) __asm__("cos");
static inline pf_f4 pf_hypot_of_f4(pf_f4 a, pf_f4 b) { return pf_c_libm_hypotf(a, b); }
static inline pf_f8 pf_hypot_of_f8(pf_f8 a, pf_f8 b) { return pf_c_libm_hypot(a, b); }
static inline float _Complex pf_to_c99_c8(pf_c8 a)
{
    float _Complex z;
    __real__ z = a.re;
    __imag__ z = a.im;
    return z;
}
static inline double _Complex pf_to_c99_c16(pf_c16 a)
{
    double _Complex z;
    __real__ z = a.re;
    __imag__ z = a.im;
    return z;
}
static inline pf_c8 pf_from_c99_c8(float _Complex z) { return (pf_c8){__real__ z, __imag__ z}; }
static inline pf_c16 pf_from_c99_c16(double _Complex z) { return (pf_c16){__real__ z, __imag__ z}; }
extern float _Complex pf_c_libm_csqrtf(float _Complex) __asm__("csqrtf");
extern double _Complex pf_c_libm_csqrt(double _Complex) __asm__("csqrt");
static inline pf_c8 pf_sqrt_c8(pf_c8 a) { return pf_from_c99_c8(pf_c_libm_csqrtf(pf_to_c99_c8(a))); }
static inline pf_c16 pf_sqrt_c16(pf_c16 a) { return pf_from_c99_c16(pf_c_libm_csqrt(pf_to_c99_c16(a))); }
extern float _Complex pf_c_libm_cexpf(float _Complex) __asm__("cexpf");
extern double _Complex pf_c_libm_cexp(double _Complex) __asm__("cexp");
static inline pf_c8 pf_exp_c8(pf_c8 a) { return pf_from_c99_c8(pf_c_libm_cexpf(pf_to_c99_c8(a))); }
static inline pf_c16 pf_exp_c16(pf_c16 a) { return pf_from_c99_c16(pf_c_libm_cexp(pf_to_c99_c16(a))); }
extern float _Complex pf_c_libm_clogf(float _Complex) __asm__("clogf");
extern double _Complex pf_c_libm_clog(double _Complex) __asm__("clog");
static inline pf_c8 pf_log_c8(pf_c8 a) { return pf_from_c99_c8(pf_c_libm_clogf(pf_to_c99_c8(a))); }
static inline pf_c16 pf_log_c16(pf_c16 a) { return pf_from_c99_c16(pf_c_libm_clog(pf_to_c99_c16(a))); }
extern float _Complex pf_c_libm_csinf(float _Complex) __asm__("csinf");
extern double _Complex pf_c_libm_csin(double _Complex) __asm__("csin");
static inline pf_c8 pf_sin_c8(pf_c8 a) { return pf_from_c99_c8(pf_c_libm_csinf(pf_to_c99_c8(a))); }
static inline pf_c16 pf_sin_c16(pf_c16 a) { return pf_from_c99_c16(pf_c_libm_csin(pf_to_c99_c16(a))); }
extern float _Complex pf_c_libm_ccosf(float _Complex) __asm__("ccosf");
extern double _Complex pf_c_libm_ccos(double _Complex) __asm__("ccos");
static inline pf_c8 pf_cos_c8(pf_c8 a) { return pf_from_c99_c8(pf_c_libm_ccosf(pf_to_c99_c8(a))); }
static inline pf_c16 pf_cos_c16(pf_c16 a) { return pf_from_c99_c16(pf_c_libm_ccos(pf_to_c99_c16(a))); }
extern float _Complex pf_c_libm_ctanf(float _Complex) __asm__("ctanf");
extern double _Complex pf_c_libm_ctan(double _Complex) __asm__("ctan");
static inline pf_c8 pf_tan_c8(pf_c8 a) { return pf_from_c99_c8(pf_c_libm_ctanf(pf_to_c99_c8(a))); }
static inline pf_c16 pf_tan_c16(pf_c16 a) { return pf_from_c99_c16(pf_c_libm_ctan(pf_to_c99_c16(a))); }
extern float _Complex pf_c_libm_csinhf(float _Complex) __asm__("csinhf");
extern double _Complex pf_c_libm_csinh(double _Complex) __asm__("csinh");
static inline pf_c8 pf_sinh_c8(pf_c8 a) { return pf_from_c99_c8(pf_c_libm_csinhf(pf_to_c99_c8(a))); }
static inline pf_c16 pf_sinh_c16(pf_c16 a) { return pf_from_c99_c16(pf_c_libm_csinh(pf_to_c99_c16(a))); }
extern float _Complex pf_c_libm_ccoshf(float _Complex) __asm__("ccoshf");
extern double _Complex pf_c_libm_ccosh(double _Complex) __asm__("ccosh");
static inline pf_c8 pf_cosh_c8(pf_c8 a) { return pf_from_c99_c8(pf_c_libm_ccoshf(pf_to_c99_c8(a))); }
static inline pf_c16 pf_cosh_c16(pf_c16 a) { return pf_from_c99_c16(pf_c_libm_ccosh(pf_to_c99_c16(a))); }
extern float _Complex pf_c_libm_ctanhf(float _Complex) __asm__("ctanhf");
extern double _Complex pf_c_libm_ctanh(double _Complex) __asm__("ctanh");
static inline pf_c8 pf_tanh_c8(pf_c8 a) { return pf_from_c99_c8(pf_c_libm_ctanhf(pf_to_c99_c8(a))); }
static inline pf_c16 pf_tanh_c16(pf_c16 a) { return pf_from_c99_c16(pf_c_libm_ctanh(pf_to_c99_c16(a))); }
extern float _Complex pf_c_libm_casinf(float _Complex) __asm__("casinf");
extern double _Complex pf_c_libm_casin(double _Complex) __asm__("casin");
static inline pf_c8 pf_arcsin_c8(pf_c8 a) { return pf_from_c99_c8(pf_c_libm_casinf(pf_to_c99_c8(a))); }
static inline pf_c16 pf_arcsin_c16(pf_c16 a) { return pf_from_c99_c16(pf_c_libm_casin(pf_to_c99_c16(a))); }
extern float _Complex pf_c_libm_cacosf(float _Complex) __asm__("cacosf");
extern double _Complex pf_c_libm_cacos(double _Complex) __asm__("cacos");
static inline pf_c8 pf_arccos_c8(pf_c8 a) { return pf_from_c99_c8(pf_c_libm_cacosf(pf_to_c99_c8(a))); }
static inline pf_c16 pf_arccos_c16(pf_c16 a) { return pf_from_c99_c16(pf_c_libm_cacos(pf_to_c99_c16(a))); }
extern float _Complex pf_c_libm_catanf(float _Complex) __asm__("catanf");
extern double _Complex pf_c_libm_catan(double _Complex) __asm__("catan");
static inline pf_c8 pf_arctan_c8(pf_c8 a) { return pf_from_c99_c8(pf_c_libm_catanf(pf_to_c99_c8(a))); }
static inline pf_c16 pf_arctan_c16(pf_c16 a) { return pf_from_c99_c16(pf_c_libm_catan(pf_to_c99_c16(a))); }
extern float _Complex pf_c_libm_casinhf(float _Complex) __asm__("casinhf");
extern double _Complex pf_c_libm_casinh(double _Complex) __asm__("casinh");
static inline pf_c8 pf_arcsinh_c8(pf_c8 a) { return pf_from_c99_c8(pf_c_libm_casinhf(pf_to_c99_c8(a))); }
static inline pf_c16 pf_arcsinh_c16(pf_c16 a) { return pf_from_c99_c16(pf_c_libm_casinh(pf_to_c99_c16(a))); }
extern float _Complex pf_c_libm_cacoshf(float _Complex) __asm__("cacoshf");
extern double _Complex pf_c_libm_cacosh(double _Complex) __asm__("cacosh");
static inline pf_c8 pf_arccosh_c8(pf_c8 a) { return pf_from_c99_c8(pf_c_libm_cacoshf(pf_to_c99_c8(a))); }
static inline pf_c16 pf_arccosh_c16(pf_c16 a) { return pf_from_c99_c16(pf_c_libm_cacosh(pf_to_c99_c16(a))); }
extern float _Complex pf_c_libm_catanhf(float _Complex) __asm__("catanhf");
extern double _Complex pf_c_libm_catanh(double _Complex) __asm__("catanh");
static inline pf_c8 pf_arctanh_c8(pf_c8 a) { return pf_from_c99_c8(pf_c_libm_catanhf(pf_to_c99_c8(a))); }
static inline pf_c16 pf_arctanh_c16(pf_c16 a) { return pf_from_c99_c16(pf_c_libm_catanh(pf_to_c99_c16(a))); }
extern float _Complex pf_c_libm_cpowf(float _Complex, float _Complex) __asm__("cpowf");
extern double _Complex pf_c_libm_cpow(double _Complex, double _Complex) __asm__("cpow");
static inline pf_c8 pf_general_power_c8(pf_c8 a, pf_c8 b)
{
    return pf_from_c99_c8(pf_c_libm_cpowf(pf_to_c99_c8(a), pf_to_c99_c8(b)));
}
static inline pf_c16 pf_general_power_c16(pf_c16 a, pf_c16 b)
{
    return pf_from_c99_c16(pf_c_libm_cpow(pf_to_c99_c16(a), pf_to_c99_c16(b)));
}

//@ for T in c8 c16
static inline pf_$T pf_exp2_$T(pf_$T a)
{
    const pf_$F log_of_2 = (pf_$F)0.693147180559945309417232121458176568;
    return pf_exp_$T((pf_$T){a.re * log_of_2, a.im * log_of_2});
}
static inline pf_$T pf_log2_$T(pf_$T a)
{
    const pf_$T natural = pf_log_$T(a);
    const pf_$F factor = (pf_$F)1.442695040888963407359924681001892137;
    return (pf_$T){natural.re * factor, natural.im * factor};
}
static inline pf_$T pf_log10_$T(pf_$T a)
{
    const pf_$T natural = pf_log_$T(a);
    const pf_$F factor = (pf_$F)0.434294481903251827651128918916605082;
    return (pf_$T){natural.re * factor, natural.im * factor};
}
/* Whole exponents below 100 multiply (squares and cubes directly), everything else is libm's. */
static inline pf_$T pf_power_$T(pf_$T a, pf_$T b, unsigned *status)
{
    if (b.re == 0 && b.im == 0)
        return (pf_$T){1, 0};
    if (a.re == 0 && a.im == 0) {
        if (pf_less_$F(0, b.re))
            return (pf_$T){0, 0};
        *status |= PF_INVALID;
        return (pf_$T){(pf_$F)__builtin_nan(""), (pf_$F)__builtin_nan("")};
    }
    *status |= (b.im == 0) & (b.re != b.re) ? PF_INVALID : 0;
    if (b.im != 0 || !pf_less_$F(pf_absolute_$F(b.re), 100) || pf_trunc_$F(b.re) != b.re)
        return pf_general_power_$T(a, b);
    int n = (int)b.re;
    if (n == 1)
        return a;
    if (n == 2)
        return pf_multiply_unfused_$T(a, a);
    if (n == 3)
        return pf_multiply_unfused_$T(a, pf_multiply_unfused_$T(a, a));
    /* masks, because the compiler would multiply before it tests, and raise flags */
    pf_$T result = {1, 0}, square = a;
    for (n = n < 0 ? -n : n; n;) {
        const pf_$U odd = -(pf_$U)(n & 1);
        const pf_$T product = pf_multiply_unfused_$T(pf_keep_$T(odd, result), pf_keep_$T(odd, square));
        result = pf_choose_$T(odd, product, result);
        n >>= 1;
        square = pf_square_unfused_$T(pf_keep_$T(-(pf_$U)(n != 0), square));
    }
    const pf_b1 inverse = pf_less_$F(b.re, 0);
    /* what dividing the constant 1 by 0 raises, should the compiler do it */
    *status |= inverse & (result.re == 0) & (result.im == 0) ? PF_DIVIDE | PF_INVALID : 0;
    return inverse ? pf_divide_$T((pf_$T){1, 0}, result, status, 1) : result;
}
//@ end
static inline pf_c16 pf_float_power_c16(pf_c16 a, pf_c16 b, unsigned *status) { return pf_power_c16(a, b, status); }
static inline pf_c8 pf_log1p_c8(pf_c8 a)
{
    return (pf_c8){pf_c_libm_logf(pf_c_libm_hypotf(a.re + 1, a.im)), pf_c_libm_atan2f(a.im, a.re + 1)};
}
static inline pf_c16 pf_log1p_c16(pf_c16 a)
{
    return (pf_c16){pf_c_libm_log(pf_c_libm_hypot(a.re + 1, a.im)), pf_c_libm_atan2(a.im, a.re + 1)};
}
static inline pf_c8 pf_expm1_c8(pf_c8 a)
{
    const pf_f4 half_sine = pf_c_libm_sinf(a.im / 2);
    return (pf_c8){pf_c_libm_expm1f(a.re) * pf_c_libm_cosf(a.im) - 2 * half_sine * half_sine,
                   pf_c_libm_expf(a.re) * pf_c_libm_sinf(a.im)};
}
static inline pf_c16 pf_expm1_c16(pf_c16 a)
{
    const pf_f8 half_sine = pf_c_libm_sin(a.im / 2);
    return (pf_c16){pf_c_libm_expm1(a.re) * pf_c_libm_cos(a.im) - 2 * half_sine * half_sine,
                    pf_c_libm_exp(a.re) * pf_c_libm_sin(a.im)};
}
