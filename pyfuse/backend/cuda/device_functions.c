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
