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
static inline pf_f4 pf_log2_f4(pf_f4 x) { return log2f(x); }
static inline pf_f8 pf_log2_f8(pf_f8 x) { return log2(x); }
static inline pf_f4 pf_log10_f4(pf_f4 x) { return log10f(x); }
static inline pf_f8 pf_log10_f8(pf_f8 x) { return log10(x); }
static inline pf_f4 pf_log1p_f4(pf_f4 x) { return log1pf(x); }
static inline pf_f8 pf_log1p_f8(pf_f8 x) { return log1p(x); }
static inline pf_f4 pf_tanh_f4(pf_f4 x) { return tanhf(x); }
static inline pf_f4 pf_erf_f4(pf_f4 x) { return erff(x); }
static inline pf_f8 pf_erf_f8(pf_f8 x) { return erf(x); }
static inline pf_f4 pf_cbrt_f4(pf_f4 x) { return cbrtf(x); }
static inline pf_f8 pf_cbrt_f8(pf_f8 x) { return cbrt(x); }
static inline pf_f4 pf_sin_f4(pf_f4 x, unsigned *status, const int careful) { return sinf(x); }
static inline pf_f8 pf_sin_f8(pf_f8 x, unsigned *status, const int careful) { return sin(x); }
static inline pf_f4 pf_cos_f4(pf_f4 x, unsigned *status, const int careful) { return cosf(x); }
static inline pf_f8 pf_cos_f8(pf_f8 x, unsigned *status, const int careful) { return cos(x); }

// Functions of doubles that are shorter than CUDA's own: there a warp whose elements are of both sizes takes two ways
// through tanh, and log is computed in two parts. Errors: docs/gpu-runs.md.

/* k ln 2 + log m with m from sqrt(1/2) to sqrt(2); with f = m - 1 and s = f / (2 + f), log m = f - f^2/2 + s (f^2/2 + R),
   R a polynomial in s^2 (FreeBSD's e_log.c). */
static inline pf_f8 pf_log_f8(pf_f8 x)
{
    pf_i4 high = (pf_i4)(pf_bits_f8(x) >> 32), below = 0;
    if ((pf_u4)high - 0x100000u >= 0x7fe00000u) {
        if (!(x > 0) || x == __builtin_inf())
            return x == 0 ? -__builtin_inf() : x < 0 ? __builtin_nan("") : x + x;
        x *= 0x1p54;
        high = (pf_i4)(pf_bits_f8(x) >> 32);
        below = 54;
    }
    const pf_i4 power = (high - 0x3fe6a09e) >> 20;
    const pf_f8 f = pf_from_bits_f8(pf_bits_f8(x) - ((pf_u8)(pf_u4)power << 52)) - 1;
    const pf_f8 k = pf_from_bits_f8(0x4330000080000000ull ^ (pf_u4)(power - below)) - 0x1.000008p52;
    const pf_f8 above = f + 2, rough = pf_rough_reciprocal(above), miss = __builtin_fma(-above, rough, 1.0);
    const pf_f8 s = f * __builtin_fma(rough, __builtin_fma(miss, miss, miss), rough), z = s * s;
    pf_f8 r = __builtin_fma(z, 0x1.2f112df3e5244p-3, 0x1.39a09d078c69fp-3);
    r = __builtin_fma(z, r, 0x1.7466496cb03dep-3);
    r = __builtin_fma(z, r, 0x1.c71c51d8e78afp-3);
    r = __builtin_fma(z, r, 0x1.2492494229359p-2);
    r = __builtin_fma(z, r, 0x1.999999997fa04p-2);
    r = __builtin_fma(z, r, 0x1.5555555555593p-1);
    const pf_f8 half = f * f * 0.5, low = __builtin_fma(s, __builtin_fma(z, r, half), k * 0x1.a39ef35793c76p-33);
    return __builtin_fma(k, 0x1.62e42feep-1, f - (half - low));
}

/* With e = exp(2 |x|) - 1 it is e / (e + 2): 2 |x| = n ln 2 + 2 h, e = 2^n (exp(2 h) - 1) + (2^n - 1). */
static inline pf_f8 pf_tanh_f8(pf_f8 x)
{
    const pf_f8 a = __builtin_fabs(x), shifted = __builtin_fma(a, 0x1.71547652b82fep+1, 0x1.8p52), n = shifted - 0x1.8p52;
    const pf_f8 h = __builtin_fma(n, -0x1.abc9e3b39803fp-57, __builtin_fma(n, -0x1.62e42fefa39efp-2, a));
    pf_f8 q = __builtin_fma(h, 0x1.af772160c0c84p-15, 0x1.28a30291ebbb8p-12);
    q = __builtin_fma(h, q, 0x1.71dde9c182151p-10);
    q = __builtin_fma(h, q, 0x1.a019a63231db9p-8);
    q = __builtin_fma(h, q, 0x1.a01a01b5f3578p-6);
    q = __builtin_fma(h, q, 0x1.6c16c17f51cbcp-4);
    q = __builtin_fma(h, q, 0x1.111111110e68fp-2);
    q = __builtin_fma(h, q, 0x1.5555555552094p-1);
    q = __builtin_fma(h, q, 0x1.555555555555cp+0);
    q = __builtin_fma(h, q, 0x1.0000000000005p+1);
    const pf_f8 scale = pf_from_bits_f8((pf_bits_f8(shifted) << 52) + 0x3ff0000000000000ull);
    const pf_f8 e = __builtin_fma(scale, __builtin_fma(h * h, q, h + h), scale - 1);
    const pf_f8 above = e + 2, rough = pf_rough_reciprocal(above), miss = __builtin_fma(-above, rough, 1.0);
    const pf_f8 near = __builtin_fma(rough, __builtin_fma(miss, miss, miss), rough), first = e * near;
    const pf_f8 rest = __builtin_fma(-first, e, __builtin_fma(-2.0, first, e));  // of e - first (e + 2)
    const pf_f8 quotient = __builtin_fma(rest, near, first);
    return __builtin_copysign(a > 22 ? 1.0 : quotient, x);
}

// Functions of complex numbers, which libm has and CUDA has not: to the library above, C99's type is ours. What they give for
// infinities and NaNs is what C99 says (Annex G). In single precision all is computed in double.

static inline pf_c8 pf_to_c99_c8(pf_c8 a) { return a; }
static inline pf_c16 pf_to_c99_c16(pf_c16 a) { return a; }
static inline pf_c8 pf_from_c99_c8(pf_c8 z) { return z; }
static inline pf_c16 pf_from_c99_c16(pf_c16 z) { return z; }

static inline pf_c16 pf_c_libm_csqrt(pf_c16 z)
{
    const pf_f8 re = z.re, im = z.im, large = 0x1p1021, small = 0x1p-900;
    if (re == 0 && im == 0)
        return (pf_c16){0, im};
    if (fabs(im) == __builtin_inf())
        return (pf_c16){__builtin_inf(), im};
    if (im != im && fabs(re) == __builtin_inf())
        return re > 0 ? (pf_c16){re, im} : (pf_c16){im, -re};
    if (re != re || im != im)
        return (pf_c16){re + im, re + im};
    if (fabs(re) == __builtin_inf())
        return (pf_c16){re > 0 ? re : 0, copysign(re > 0 ? 0 : re, im)};
    const pf_b1 is_large = fabs(re) > large || fabs(im) > large, is_small = fabs(re) < small && fabs(im) < small;
    const pf_f8 scale = is_large ? 0x1p-2 : is_small ? 0x1p200 : 1, back = is_large ? 2 : is_small ? 0x1p-100 : 1;
    const pf_f8 a = re * scale, b = im * scale, root = sqrt((fabs(a) + hypot(a, b)) * 0.5);
    const pf_f8 other = fabs(b) / (2 * root);
    return a >= 0 ? (pf_c16){root * back, copysign(other * back, im)} : (pf_c16){other * back, copysign(root * back, im)};
}

/* Beyond the range of exp its square root is multiplied twice: the other factor may be small. */
static inline pf_c16 pf_c_libm_cexp(pf_c16 z)
{
    const pf_f8 re = z.re, im = z.im;
    if (im == 0)
        return (pf_c16){exp(re), im};
    if (im - im != 0 && fabs(re) == __builtin_inf())
        return re < 0 ? (pf_c16){0, 0} : (pf_c16){re, im - im};
    const pf_f8 cosine = cos(im), sine = sin(im);
    if (re > 709) {
        const pf_f8 half = exp(re * 0.5);
        return (pf_c16){cosine * half * half, sine * half * half};
    }
    const pf_f8 size = exp(re);
    return (pf_c16){size * cosine, size * sine};
}

/* Near the unit circle re^2 + im^2 - 1 is summed with the rounding errors of the squares. */
static inline pf_c16 pf_c_libm_clog(pf_c16 z)
{
    const pf_f8 angle = atan2(z.im, z.re), a = fmax(fabs(z.re), fabs(z.im)), b = fmin(fabs(z.re), fabs(z.im));
    if (a > 0.3 && a < 2.5 && z.re == z.re && z.im == z.im) {
        const pf_f8 aa = a * a, bb = b * b, aa_rest = __builtin_fma(a, a, -aa), bb_rest = __builtin_fma(b, b, -bb);
        if (aa + bb > 0.2 && aa + bb < 5) {
            const pf_f8 first = aa - 1, one = aa - first, sum = first + bb, part = sum - first;
            const pf_f8 rest = (aa - (first + one)) + (one - 1) + (first - (sum - part)) + (bb - part);
            return (pf_c16){log1p(sum + (rest + (aa_rest + bb_rest))) * 0.5, angle};
        }
    }
    if (a > 0x1p1000 && a < __builtin_inf())
        return (pf_c16){log(hypot(z.re * 0x1p-10, z.im * 0x1p-10)) + 6.931471805599453, angle};
    if (a < 0x1p-900 && a > 0)
        return (pf_c16){log(hypot(z.re * 0x1p200, z.im * 0x1p200)) - 138.62943611198907, angle};
    return (pf_c16){log(hypot(z.re, z.im)), angle};
}

static inline pf_c16 pf_c_libm_csinh(pf_c16 z)
{
    const pf_f8 re = z.re, im = z.im;
    if (im == 0)
        return (pf_c16){sinh(re), im};
    if (im - im != 0 && (re == 0 || fabs(re) == __builtin_inf()))
        return (pf_c16){re, im - im};
    const pf_f8 cosine = cos(im), sine = sin(im);
    if (re == 0)
        return (pf_c16){re * cosine, sine};
    if (fabs(re) > 709) {
        const pf_f8 half = exp(fabs(re) * 0.5);
        return (pf_c16){copysign(0.5, re) * half * cosine * half, 0.5 * half * sine * half};
    }
    return (pf_c16){sinh(re) * cosine, cosh(re) * sine};
}
static inline pf_c16 pf_c_libm_ccosh(pf_c16 z)
{
    const pf_f8 re = z.re, im = z.im;
    if (im == 0 || (re == 0 && im - im != 0))
        return (pf_c16){im == 0 ? cosh(re) : im - im, im == 0 && re == re ? copysign(0.0, re) * im : 0};
    if (im - im != 0 && fabs(re) == __builtin_inf())
        return (pf_c16){fabs(re), im - im};
    const pf_f8 cosine = cos(im), sine = sin(im);
    if (fabs(re) > 709) {
        const pf_f8 half = exp(fabs(re) * 0.5);
        return (pf_c16){0.5 * half * cosine * half, copysign(0.5, re) * half * sine * half};
    }
    return (pf_c16){cosh(re) * cosine, sinh(re) * sine};
}
static inline pf_c16 pf_c_libm_ctanh(pf_c16 z)
{
    const pf_f8 re = z.re, im = z.im;
    if (re != re)
        return (pf_c16){re, im == 0 ? im : re};
    if (fabs(re) == __builtin_inf())
        return (pf_c16){copysign(1.0, re), copysign(0.0, im - im == 0 ? sin(2 * im) : im)};
    if (im - im != 0)
        return (pf_c16){re == 0 ? re : im - im, im - im};
    if (fabs(re) > 22) {
        const pf_f8 size = exp(-fabs(re));
        return (pf_c16){copysign(1.0, re), 4 * sin(im) * cos(im) * size * size};
    }
    const pf_f8 cosine = cos(im), rise = sinh(re), below = rise * rise + cosine * cosine;
    return (pf_c16){sinh(2 * re) * 0.5 / below, sin(2 * im) * 0.5 / below};
}

static inline pf_c16 pf_c_libm_csin(pf_c16 z)
{
    const pf_c16 turned = pf_c_libm_csinh((pf_c16){-z.im, z.re});
    return (pf_c16){turned.im, -turned.re};
}
static inline pf_c16 pf_c_libm_ccos(pf_c16 z) { return pf_c_libm_ccosh((pf_c16){-z.im, z.re}); }
static inline pf_c16 pf_c_libm_ctan(pf_c16 z)
{
    const pf_c16 turned = pf_c_libm_ctanh((pf_c16){-z.im, z.re});
    return (pf_c16){turned.im, -turned.re};
}
static inline pf_c16 pf_c_libm_cpow(pf_c16 a, pf_c16 b)
{
    const pf_c16 natural = pf_c_libm_clog(a);
    return pf_c_libm_cexp((pf_c16){b.re * natural.re - b.im * natural.im, b.re * natural.im + b.im * natural.re});
}
static inline pf_c8 pf_c_libm_csqrtf(pf_c8 z)
{
    const pf_c16 w = pf_c_libm_csqrt((pf_c16){z.re, z.im});
    return (pf_c8){(pf_f4)w.re, (pf_f4)w.im};
}
static inline pf_c8 pf_c_libm_cexpf(pf_c8 z)
{
    const pf_c16 w = pf_c_libm_cexp((pf_c16){z.re, z.im});
    return (pf_c8){(pf_f4)w.re, (pf_f4)w.im};
}
static inline pf_c8 pf_c_libm_clogf(pf_c8 z)
{
    const pf_c16 w = pf_c_libm_clog((pf_c16){z.re, z.im});
    return (pf_c8){(pf_f4)w.re, (pf_f4)w.im};
}
static inline pf_c8 pf_c_libm_csinhf(pf_c8 z)
{
    const pf_c16 w = pf_c_libm_csinh((pf_c16){z.re, z.im});
    return (pf_c8){(pf_f4)w.re, (pf_f4)w.im};
}
static inline pf_c8 pf_c_libm_ccoshf(pf_c8 z)
{
    const pf_c16 w = pf_c_libm_ccosh((pf_c16){z.re, z.im});
    return (pf_c8){(pf_f4)w.re, (pf_f4)w.im};
}
static inline pf_c8 pf_c_libm_ctanhf(pf_c8 z)
{
    const pf_c16 w = pf_c_libm_ctanh((pf_c16){z.re, z.im});
    return (pf_c8){(pf_f4)w.re, (pf_f4)w.im};
}
static inline pf_c8 pf_c_libm_csinf(pf_c8 z)
{
    const pf_c16 w = pf_c_libm_csin((pf_c16){z.re, z.im});
    return (pf_c8){(pf_f4)w.re, (pf_f4)w.im};
}
static inline pf_c8 pf_c_libm_ccosf(pf_c8 z)
{
    const pf_c16 w = pf_c_libm_ccos((pf_c16){z.re, z.im});
    return (pf_c8){(pf_f4)w.re, (pf_f4)w.im};
}
static inline pf_c8 pf_c_libm_ctanf(pf_c8 z)
{
    const pf_c16 w = pf_c_libm_ctan((pf_c16){z.re, z.im});
    return (pf_c8){(pf_f4)w.re, (pf_f4)w.im};
}
static inline pf_c8 pf_c_libm_cpowf(pf_c8 a, pf_c8 b)
{
    const pf_c16 w = pf_c_libm_cpow((pf_c16){a.re, a.im}, (pf_c16){b.re, b.im});
    return (pf_c8){(pf_f4)w.re, (pf_f4)w.im};
}

// Inverse functions: T. E. Hull, T. F. Fairgrieve and P. T. P. Tang, "Implementing the complex arcsine and arccosine functions
// using exception handling", ACM TOMS 23 (1997). All follow from those of arcsinh and arctanh.

/* (hypot - b) / 2 without cancellation, where hypot is that of a and b. */
static inline pf_f8 pf_half_excess(pf_f8 a, pf_f8 b, pf_f8 hypot)
{
    return b < 0 ? (hypot - b) * 0.5 : b == 0 ? a * 0.5 : a * a / (hypot + b) * 0.5;
}
/* Of x, y >= 0, not both tiny, neither large: the real part of arcsinh(x + iy); and y and c, whose angle atan2(y, c) is the other. */
static inline pf_f8 pf_arcsinh_parts(pf_f8 x, pf_f8 y, pf_f8 *side, pf_f8 *other)
{
    const pf_f8 epsilon = 0x1p-52, r = hypot(x, y + 1), s = hypot(x, y - 1), half = (r + s) * 0.5, a = half < 1 ? 1 : half;
    pf_f8 real;
    if (a >= 10)
        real = log(a + sqrt(a * a - 1));
    else if (y == 1 && x < epsilon * epsilon / 128)
        real = sqrt(x);
    else if (x >= epsilon * fabs(y - 1)) {
        const pf_f8 rest = pf_half_excess(x, 1 + y, r) + pf_half_excess(x, 1 - y, s);
        real = log1p(rest + sqrt(rest * (a + 1)));
    } else
        real = y < 1 ? x / sqrt((1 - y) * (1 + y)) : log1p((y - 1) + sqrt((y - 1) * (y + 1)));
    *side = y;
    if (y < 0x1p-509) {
        *side = y * (2 / epsilon);
        *other = a * (2 / epsilon);
    } else if (y <= 0.6417 * a)
        *other = sqrt((a - y) * (a + y));
    else if (y == 1 && x < epsilon / 128)
        *other = sqrt(x) * sqrt((a + y) * 0.5);
    else if (x >= epsilon * fabs(y - 1))
        *other = sqrt((pf_half_excess(x, y + 1, r) + pf_half_excess(x, y - 1, s)) * (a + y));
    else if (y > 1) {
        *side = y * (4 / epsilon / epsilon);
        *other = x * (4 / epsilon / epsilon) * y / sqrt((y + 1) * (y - 1));
    } else
        *other = sqrt((1 - y) * (1 + y));
    return real;
}
static inline pf_c16 pf_c_libm_casinh(pf_c16 z)
{
    const pf_f8 x = z.re, y = z.im, ax = fabs(x), ay = fabs(y);
    if (x != x || y != y) {
        if (ax == __builtin_inf() || y == 0)
            return (pf_c16){x, ax == __builtin_inf() ? y + y : y};
        return ay == __builtin_inf() ? (pf_c16){y, x + x} : (pf_c16){x + y, x + y};
    }
    if (ax > 0x1p52 || ay > 0x1p52) {
        const pf_c16 natural = pf_c_libm_clog((pf_c16){ax, ay});
        return (pf_c16){copysign(natural.re + 0.6931471805599453, x), copysign(natural.im, y)};
    }
    if (ax < 0x1p-27 && ay < 0x1p-27)
        return z;
    pf_f8 side, other;
    const pf_f8 real = pf_arcsinh_parts(ax, ay, &side, &other);
    return (pf_c16){copysign(real, x), copysign(atan2(side, other), y)};
}
static inline pf_c16 pf_c_libm_casin(pf_c16 z)
{
    const pf_c16 turned = pf_c_libm_casinh((pf_c16){z.im, z.re});
    return (pf_c16){turned.im, turned.re};
}
static inline pf_c16 pf_c_libm_cacos(pf_c16 z)
{
    const pf_f8 x = z.re, y = z.im, ax = fabs(x), ay = fabs(y), quarter = 1.5707963267948966;
    if (x != x || y != y) {
        if (ax == __builtin_inf())
            return (pf_c16){y + y, -__builtin_inf()};
        if (ay == __builtin_inf())
            return (pf_c16){x + x, -y};
        return x == 0 ? (pf_c16){quarter, y + y} : (pf_c16){x + y, x + y};
    }
    if (ax > 0x1p52 || ay > 0x1p52) {
        const pf_c16 natural = pf_c_libm_clog(z);
        return (pf_c16){fabs(natural.im), copysign(natural.re + 0.6931471805599453, -y)};
    }
    if (x == 1 && y == 0)
        return (pf_c16){0, -y};
    if (ax < 0x1p-27 && ay < 0x1p-27)
        return (pf_c16){quarter - x, -y};
    pf_f8 side, other;
    const pf_f8 size = pf_arcsinh_parts(ay, ax, &side, &other);
    return (pf_c16){atan2(other, copysign(side, x)), copysign(size, -y)};
}
static inline pf_c16 pf_c_libm_cacosh(pf_c16 z)
{
    const pf_c16 w = pf_c_libm_cacos(z);
    return (pf_c16){fabs(w.im), w.re != w.re || w.im != w.im ? w.re : copysign(w.re, z.im)};
}
static inline pf_c16 pf_c_libm_catanh(pf_c16 z)
{
    const pf_f8 x = z.re, y = z.im, ax = fabs(x), ay = fabs(y), epsilon = 0x1p-52, quarter = 1.5707963267948966;
    if (y == 0 && ax <= 1)
        return (pf_c16){atanh(x), y};
    if (x == 0)
        return (pf_c16){x, atan(y)};
    if (x != x || y != y) {
        if (ax == __builtin_inf())
            return (pf_c16){copysign(0.0, x), y + y};
        return ay == __builtin_inf() ? (pf_c16){copysign(0.0, x), copysign(quarter, y)} : (pf_c16){x + y, x + y};
    }
    if (ax > 0x1p52 || ay > 0x1p52) {
        const pf_f8 large = ax > ay ? ax : ay, scale = large > 0x1p500 ? 0x1p-600 : 1, a = x * scale, b = y * scale;
        return (pf_c16){large == __builtin_inf() ? copysign(0.0, x) : a / (a * a + b * b) * scale, copysign(quarter, y)};
    }
    if (ax < 0x1p-27 && ay < 0x1p-27)
        return z;
    const pf_f8 yy = ay < 0x1p-511 ? 0 : ay * ay, from_one = (1 - ax) * (1 + ax);
    const pf_f8 real = ax == 1 && ay < epsilon ? (0.6931471805599453 - log(ay)) * 0.5
                                               : log1p(4 * ax / ((ax - 1) * (ax - 1) + yy)) * 0.25;
    const pf_f8 angle = ax == 1 ? atan2(2.0, -ay) : atan2(2 * ay, ay < epsilon ? from_one : from_one - yy);
    return (pf_c16){copysign(real, x), copysign(angle * 0.5, y)};
}
static inline pf_c16 pf_c_libm_catan(pf_c16 z)
{
    const pf_c16 turned = pf_c_libm_catanh((pf_c16){z.im, z.re});
    return (pf_c16){turned.im, turned.re};
}
static inline pf_c8 pf_c_libm_casinf(pf_c8 z)
{
    const pf_c16 w = pf_c_libm_casin((pf_c16){z.re, z.im});
    return (pf_c8){(pf_f4)w.re, (pf_f4)w.im};
}
static inline pf_c8 pf_c_libm_cacosf(pf_c8 z)
{
    const pf_c16 w = pf_c_libm_cacos((pf_c16){z.re, z.im});
    return (pf_c8){(pf_f4)w.re, (pf_f4)w.im};
}
static inline pf_c8 pf_c_libm_catanf(pf_c8 z)
{
    const pf_c16 w = pf_c_libm_catan((pf_c16){z.re, z.im});
    return (pf_c8){(pf_f4)w.re, (pf_f4)w.im};
}
static inline pf_c8 pf_c_libm_casinhf(pf_c8 z)
{
    const pf_c16 w = pf_c_libm_casinh((pf_c16){z.re, z.im});
    return (pf_c8){(pf_f4)w.re, (pf_f4)w.im};
}
static inline pf_c8 pf_c_libm_cacoshf(pf_c8 z)
{
    const pf_c16 w = pf_c_libm_cacosh((pf_c16){z.re, z.im});
    return (pf_c8){(pf_f4)w.re, (pf_f4)w.im};
}
static inline pf_c8 pf_c_libm_catanhf(pf_c8 z)
{
    const pf_c16 w = pf_c_libm_catanh((pf_c16){z.re, z.im});
    return (pf_c8){(pf_f4)w.re, (pf_f4)w.im};
}
