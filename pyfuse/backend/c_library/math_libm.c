// Elementary functions that call the C library (scalar), under NumPy's names.

extern double pf_libm_exp2(double) __asm__("exp2");
static inline pf_f8 pf_exp2_f8(pf_f8 x) { return pf_libm_exp2(x); }

extern double pf_libm_expm1(double) __asm__("expm1");
static inline pf_f8 pf_expm1_f8(pf_f8 x) { return pf_libm_expm1(x); }

extern double pf_libm_log2(double) __asm__("log2");
static inline pf_f8 pf_log2_f8(pf_f8 x) { return pf_libm_log2(x); }

extern double pf_libm_log10(double) __asm__("log10");
static inline pf_f8 pf_log10_f8(pf_f8 x) { return pf_libm_log10(x); }

extern double pf_libm_log1p(double) __asm__("log1p");
static inline pf_f8 pf_log1p_f8(pf_f8 x) { return pf_libm_log1p(x); }

extern double pf_libm_tan(double) __asm__("tan");
static inline pf_f8 pf_tan_f8(pf_f8 x) { return pf_libm_tan(x); }

extern double pf_libm_sinh(double) __asm__("sinh");
static inline pf_f8 pf_sinh_f8(pf_f8 x) { return pf_libm_sinh(x); }

extern double pf_libm_cosh(double) __asm__("cosh");
static inline pf_f8 pf_cosh_f8(pf_f8 x) { return pf_libm_cosh(x); }

extern double pf_libm_atan(double) __asm__("atan");
static inline pf_f8 pf_arctan_f8(pf_f8 x) { return pf_libm_atan(x); }

extern double pf_libm_asin(double) __asm__("asin");
static inline pf_f8 pf_arcsin_f8(pf_f8 x) { return pf_libm_asin(x); }

extern double pf_libm_acos(double) __asm__("acos");
static inline pf_f8 pf_arccos_f8(pf_f8 x) { return pf_libm_acos(x); }

extern double pf_libm_cbrt(double) __asm__("cbrt");
static inline pf_f8 pf_cbrt_f8(pf_f8 x) { return pf_libm_cbrt(x); }

extern double pf_libm_erf(double) __asm__("erf");
static inline pf_f8 pf_erf_f8(pf_f8 x) { return pf_libm_erf(x); }

extern double pf_libm_erfc(double) __asm__("erfc");
static inline pf_f8 pf_erfc_f8(pf_f8 x) { return pf_libm_erfc(x); }

extern double pf_libm_asinh(double) __asm__("asinh");
static inline pf_f8 pf_arcsinh_f8(pf_f8 x) { return pf_libm_asinh(x); }

extern double pf_libm_acosh(double) __asm__("acosh");
static inline pf_f8 pf_arccosh_f8(pf_f8 x) { return pf_libm_acosh(x); }

extern double pf_libm_atanh(double) __asm__("atanh");
static inline pf_f8 pf_arctanh_f8(pf_f8 x) { return pf_libm_atanh(x); }

extern double pf_libm_atan2(double, double) __asm__("atan2");
static inline pf_f8 pf_arctan2_f8(pf_f8 x, pf_f8 y) { return pf_libm_atan2(x, y); }

extern double pf_libm_pow(double, double) __asm__("pow");
static inline pf_f8 pf_power_f8(pf_f8 x, pf_f8 y) { return pf_libm_pow(x, y); }

extern double pf_libm_hypot(double, double) __asm__("hypot");
static inline pf_f8 pf_hypot_f8(pf_f8 x, pf_f8 y) { return pf_libm_hypot(x, y); }

extern double pf_libm_exp(double) __asm__("exp");
static inline pf_f8 pf_expit_f8(pf_f8 x) { return 1.0 / (1.0 + pf_libm_exp(-x)); }

extern double pf_libm_lgamma_r(double, int *) __asm__("lgamma_r");
static inline pf_f8 pf_gammaln_f8(pf_f8 x)
{
    int sign;
    return x == -__builtin_inf() ? x : pf_libm_lgamma_r(x, &sign);  // scipy's answer at -inf is -inf
}

static inline pf_f8 pf_logaddexp_f8(pf_f8 x, pf_f8 y)
{
    pf_f8 difference = x - y;
    if (x == y)
        return x + 0x1.62e42fefa39efp-1;
    if (__builtin_isnan(difference))
        return x + y;
    return (difference > 0 ? x : y) + pf_libm_log1p(pf_libm_exp(difference > 0 ? -difference : difference));
}

extern float pf_libm_exp2f(float) __asm__("exp2f");
static inline pf_f4 pf_exp2_f4(pf_f4 x) { return pf_libm_exp2f(x); }

extern float pf_libm_expm1f(float) __asm__("expm1f");
static inline pf_f4 pf_expm1_f4(pf_f4 x) { return pf_libm_expm1f(x); }

extern float pf_libm_log2f(float) __asm__("log2f");
static inline pf_f4 pf_log2_f4(pf_f4 x) { return pf_libm_log2f(x); }

extern float pf_libm_log10f(float) __asm__("log10f");
static inline pf_f4 pf_log10_f4(pf_f4 x) { return pf_libm_log10f(x); }

extern float pf_libm_log1pf(float) __asm__("log1pf");
static inline pf_f4 pf_log1p_f4(pf_f4 x) { return pf_libm_log1pf(x); }

extern float pf_libm_tanf(float) __asm__("tanf");
static inline pf_f4 pf_tan_f4(pf_f4 x) { return pf_libm_tanf(x); }

extern float pf_libm_sinhf(float) __asm__("sinhf");
static inline pf_f4 pf_sinh_f4(pf_f4 x) { return pf_libm_sinhf(x); }

extern float pf_libm_coshf(float) __asm__("coshf");
static inline pf_f4 pf_cosh_f4(pf_f4 x) { return pf_libm_coshf(x); }

extern float pf_libm_atanf(float) __asm__("atanf");
static inline pf_f4 pf_arctan_f4(pf_f4 x) { return pf_libm_atanf(x); }

extern float pf_libm_asinf(float) __asm__("asinf");
static inline pf_f4 pf_arcsin_f4(pf_f4 x) { return pf_libm_asinf(x); }

extern float pf_libm_acosf(float) __asm__("acosf");
static inline pf_f4 pf_arccos_f4(pf_f4 x) { return pf_libm_acosf(x); }

extern float pf_libm_cbrtf(float) __asm__("cbrtf");
static inline pf_f4 pf_cbrt_f4(pf_f4 x) { return pf_libm_cbrtf(x); }

extern float pf_libm_erff(float) __asm__("erff");
static inline pf_f4 pf_erf_f4(pf_f4 x) { return pf_libm_erff(x); }

extern float pf_libm_erfcf(float) __asm__("erfcf");
static inline pf_f4 pf_erfc_f4(pf_f4 x) { return pf_libm_erfcf(x); }

extern float pf_libm_asinhf(float) __asm__("asinhf");
static inline pf_f4 pf_arcsinh_f4(pf_f4 x) { return pf_libm_asinhf(x); }

extern float pf_libm_acoshf(float) __asm__("acoshf");
static inline pf_f4 pf_arccosh_f4(pf_f4 x) { return pf_libm_acoshf(x); }

extern float pf_libm_atanhf(float) __asm__("atanhf");
static inline pf_f4 pf_arctanh_f4(pf_f4 x) { return pf_libm_atanhf(x); }

extern float pf_libm_atan2f(float, float) __asm__("atan2f");
static inline pf_f4 pf_arctan2_f4(pf_f4 x, pf_f4 y) { return pf_libm_atan2f(x, y); }

extern float pf_libm_powf(float, float) __asm__("powf");
static inline pf_f4 pf_power_f4(pf_f4 x, pf_f4 y) { return pf_libm_powf(x, y); }

extern float pf_libm_hypotf(float, float) __asm__("hypotf");
static inline pf_f4 pf_hypot_f4(pf_f4 x, pf_f4 y) { return pf_libm_hypotf(x, y); }

extern float pf_libm_expf(float) __asm__("expf");
static inline pf_f4 pf_expit_f4(pf_f4 x) { return 1.0f / (1.0f + pf_libm_expf(-x)); }

extern float pf_libm_lgammaf_r(float, int *) __asm__("lgammaf_r");
static inline pf_f4 pf_gammaln_f4(pf_f4 x)
{
    int sign;
    return x == -__builtin_inff() ? x : pf_libm_lgammaf_r(x, &sign);  // scipy's answer at -inf is -inf
}

static inline pf_f4 pf_logaddexp_f4(pf_f4 x, pf_f4 y)
{
    pf_f4 difference = x - y;
    if (x == y)
        return x + 0x1.62e43p-1f;
    if (__builtin_isnan(difference))
        return x + y;
    return (difference > 0 ? x : y) + pf_libm_log1pf(pf_libm_expf(difference > 0 ? -difference : difference));
}
