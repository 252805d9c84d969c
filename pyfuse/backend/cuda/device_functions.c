// Definitions of the C library that read otherwise on a device (format: docs/c-library.md). A device has no floating-point
// flags, so comparisons and selections need no bit arithmetic there (rules 5 and 6).

//@ for T in f4 f8
static inline pf_b1 pf_less_$T(pf_$T a, pf_$T b) { return a < b; }
static inline pf_$U pf_ordered_mask_$T(pf_$T a, pf_$T b) { return a == a && b == b ? ~(pf_$U)0 : (pf_$U)0; }
static inline pf_$U pf_below_mask_$T(pf_$T a, pf_$T b) { return a < b ? ~(pf_$U)0 : (pf_$U)0; }
static inline pf_$U pf_at_most_mask_$T(pf_$T a, pf_$T b) { return a <= b ? ~(pf_$U)0 : (pf_$U)0; }
//@ end

//@ for T in b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8
static inline pf_$T pf_select_$T(pf_b1 condition, pf_$T a, pf_$T b) { return condition ? a : b; }
//@ end

// CUDA's lgamma knows no second result; the sign is not looked at.
static inline pf_f8 pf_libm_lgamma_r(pf_f8 x, int *sign) { *sign = 0; return lgamma(x); }
static inline pf_f4 pf_libm_lgammaf_r(pf_f4 x, int *sign) { *sign = 0; return lgammaf(x); }

// NaN comes through; of zeros of both signs either is taken, as by NumPy's vector loops.

//@ for T in f4 f8
static inline pf_$T pf_maximum_$T(pf_$T a, pf_$T b) { return a > b || a != a ? a : b; }
static inline pf_$T pf_minimum_$T(pf_$T a, pf_$T b) { return a < b || a != a ? a : b; }
static inline pf_$T pf_fmax_$T(pf_$T a, pf_$T b) { return a > b || b != b ? a : b; }
static inline pf_$T pf_fmin_$T(pf_$T a, pf_$T b) { return a < b || b != b ? a : b; }
//@ end

// Functions that CUDA's own library has, at most 2 ULP from the correct result (CUDA C++ programming guide, "mathematical
// functions"): those of the C library are written for vectors of a CPU, and take two to three times as many instructions.

static inline pf_f4 pf_exp_f4(pf_f4 x) { return expf(x); }
static inline pf_f8 pf_exp_f8(pf_f8 x) { return exp(x); }
static inline pf_f4 pf_exp2_f4(pf_f4 x) { return exp2f(x); }
static inline pf_f8 pf_exp2_f8(pf_f8 x) { return exp2(x); }
static inline pf_f4 pf_expm1_f4(pf_f4 x) { return expm1f(x); }
static inline pf_f8 pf_expm1_f8(pf_f8 x) { return expm1(x); }
static inline pf_f4 pf_log_f4(pf_f4 x) { return logf(x); }
static inline pf_f8 pf_log_f8(pf_f8 x) { return log(x); }
static inline pf_f4 pf_log2_f4(pf_f4 x) { return log2f(x); }
static inline pf_f8 pf_log2_f8(pf_f8 x) { return log2(x); }
static inline pf_f4 pf_log10_f4(pf_f4 x) { return log10f(x); }
static inline pf_f8 pf_log10_f8(pf_f8 x) { return log10(x); }
static inline pf_f4 pf_log1p_f4(pf_f4 x) { return log1pf(x); }
static inline pf_f8 pf_log1p_f8(pf_f8 x) { return log1p(x); }
static inline pf_f4 pf_tanh_f4(pf_f4 x) { return tanhf(x); }
static inline pf_f8 pf_tanh_f8(pf_f8 x) { return tanh(x); }
static inline pf_f4 pf_erf_f4(pf_f4 x) { return erff(x); }
static inline pf_f8 pf_erf_f8(pf_f8 x) { return erf(x); }
static inline pf_f4 pf_cbrt_f4(pf_f4 x) { return cbrtf(x); }
static inline pf_f8 pf_cbrt_f8(pf_f8 x) { return cbrt(x); }
static inline pf_f4 pf_sin_f4(pf_f4 x, unsigned *status, const int careful) { return sinf(x); }
static inline pf_f8 pf_sin_f8(pf_f8 x, unsigned *status, const int careful) { return sin(x); }
static inline pf_f4 pf_cos_f4(pf_f4 x, unsigned *status, const int careful) { return cosf(x); }
static inline pf_f8 pf_cos_f8(pf_f8 x, unsigned *status, const int careful) { return cos(x); }
