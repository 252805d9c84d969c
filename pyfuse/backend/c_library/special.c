// Functions composed of others: scipy.special's logit and xlogy.

//@ for T in f4 f8
/* scipy.special.logit: log(x / (1 - x)), and by log1p between 0.3 and 0.65 where that cancels (xsf/log_exp.h). */
static inline pf_$T pf_logit_$T(pf_$T x)
{
    pf_b1 is_near_half = pf_less_$T((pf_$T)0.3, x) & pf_less_$T(x, (pf_$T)0.65);
    pf_$T far = pf_select_$T(is_near_half, (pf_$T)0.5, x);
    pf_$T near = pf_select_$T(is_near_half, 2 * (x - (pf_$T)0.5), 0);
    return pf_select_$T(is_near_half, pf_log1p_$T(near) - pf_log1p_$T(-near), pf_log_$T(far / (1 - far)));
}
/* scipy.special.xlogy: x log(y), and 0 where x is 0 and y is not NaN. */
static inline pf_$T pf_xlogy_$T(pf_$T x, pf_$T y)
{
    pf_b1 is_zero = (x == 0) & (y == y);
    return pf_select_$T(is_zero, 0, x * pf_log_$T(pf_select_$T(is_zero, 1, y)));
}
//@ end
