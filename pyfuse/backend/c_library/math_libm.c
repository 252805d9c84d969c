// Elementary functions that call the C library (scalar), under NumPy's names.

extern double pf_libm_asinh(double) __asm__("asinh");
static inline pf_f8 pf_arcsinh_f8(pf_f8 x) { return pf_libm_asinh(x); }

extern double pf_libm_acosh(double) __asm__("acosh");
static inline pf_f8 pf_arccosh_f8(pf_f8 x) { return pf_libm_acosh(x); }

extern double pf_libm_atanh(double) __asm__("atanh");
static inline pf_f8 pf_arctanh_f8(pf_f8 x) { return pf_libm_atanh(x); }

extern double pf_libm_lgamma_r(double, int *) __asm__("lgamma_r");
static inline pf_f8 pf_gammaln_f8(pf_f8 x)
{
    int sign;
    return x == -__builtin_inf() ? x : pf_libm_lgamma_r(x, &sign);  // scipy's answer at -inf is -inf
}

extern float pf_libm_asinhf(float) __asm__("asinhf");
static inline pf_f4 pf_arcsinh_f4(pf_f4 x) { return pf_libm_asinhf(x); }

extern float pf_libm_acoshf(float) __asm__("acoshf");
static inline pf_f4 pf_arccosh_f4(pf_f4 x) { return pf_libm_acoshf(x); }

extern float pf_libm_atanhf(float) __asm__("atanhf");
static inline pf_f4 pf_arctanh_f4(pf_f4 x) { return pf_libm_atanhf(x); }

extern float pf_libm_lgammaf_r(float, int *) __asm__("lgammaf_r");
static inline pf_f4 pf_gammaln_f4(pf_f4 x)
{
    int sign;
    return x == -__builtin_inff() ? x : pf_libm_lgammaf_r(x, &sign);  // scipy's answer at -inf is -inf
}
