// Reductions of a contiguous buffer, for kernels that fill a tile at a time and then reduce it. Out of line: a call
// per tile costs nothing, and a kernel that reduces in several places compiles each function once.

// NumPy's pairwise summation (numpy/_core/src/umath/loops_utils.h.src): 128 numbers or fewer in eight partial sums,
// more in two halves. A complex number counts as two numbers.

//@ for T in f4 f8
static inline pf_$T pf_pairwise_none_$T(void) { return (pf_$T)-0.0; }
static inline pf_$T pf_pairwise_joined_$T(const pf_$T *r)
{
    return ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
}
/* The last n % 8 of n numbers. The asm keeps gcc from taking vectors for so few. */
static inline pf_$T pf_pairwise_rest_$T(pf_$T sum, const pf_$T *a, pf_i8 n)
{
#pragma GCC unroll 1
    for (pf_i8 k = n & ~7LL; k < n; k++) {
        __asm__ volatile("");
        sum += a[k];
    }
    return sum;
}
//@ end

//@ for T in c8 c16
static inline pf_$T pf_pairwise_none_$T(void) { return (pf_$T){(pf_$F)-0.0, (pf_$F)-0.0}; }
static inline pf_$T pf_pairwise_joined_$T(const pf_$F *r)
{
    return (pf_$T){(r[0] + r[2]) + (r[4] + r[6]), (r[1] + r[3]) + (r[5] + r[7])};
}
static inline pf_$T pf_pairwise_rest_$T(pf_$T sum, const pf_$F *a, pf_i8 n)
{
#pragma GCC unroll 1
    for (pf_i8 k = n & ~7LL; k < n; k += 2) {
        __asm__ volatile("");
        sum.re += a[k], sum.im += a[k + 1];
    }
    return sum;
}
//@ end

//@ for T in f4 f8 c8 c16
/* A block of up to 128 numbers, or two side by side so that one's additions need not wait for the other's: then the
 * first has 8 * m numbers, and the second up to 15 more. Vectors are no wider than the machine's: gcc 12 takes wider
 * ones apart in memory. */
static __attribute__((noinline)) pf_$T pf_pairwise_numbers_$T(const pf_$F *a, pf_i8 n)
{
    enum { WIDTH = __BIGGEST_ALIGNMENT__ / sizeof(pf_$F) < 8 ? __BIGGEST_ALIGNMENT__ / sizeof(pf_$F) : 8 };
    typedef pf_$F lanes __attribute__((vector_size(WIDTH * sizeof(pf_$F))));
    const pf_i8 first = n <= 128 ? 0 : n / 16 * 8, second = n - first;
    const pf_$F *b = a + first;
    if (second > 128)
        return pf_add_$T(pf_pairwise_numbers_$T(a, first), pf_pairwise_numbers_$T(b, second));
    if (second < 8)
        return pf_pairwise_rest_$T(pf_pairwise_none_$T(), b, second);
    lanes sums[8 / WIDTH], other_sums[8 / WIDTH], more;
    for (int part = 0; part < 8 / WIDTH; part++) {
        __builtin_memcpy(&sums[part], a + part * WIDTH, sizeof more);
        __builtin_memcpy(&other_sums[part], b + part * WIDTH, sizeof more);
    }
    pf_i8 k = 8;
    for (; k < first; k += 8)
        for (int part = 0; part < 8 / WIDTH; part++) {
            __builtin_memcpy(&more, a + k + part * WIDTH, sizeof more);
            sums[part] += more;
            __builtin_memcpy(&more, b + k + part * WIDTH, sizeof more);
            other_sums[part] += more;
        }
#pragma GCC unroll 1
    for (; k + 8 <= second; k += 8)
        for (int part = 0; part < 8 / WIDTH; part++) {
            __builtin_memcpy(&more, b + k + part * WIDTH, sizeof more);
            other_sums[part] += more;
        }
    pf_$F parts[8], other_parts[8];
    for (int part = 0; part < 8 / WIDTH; part++) {
        __builtin_memcpy(parts + part * WIDTH, &sums[part], sizeof more);
        __builtin_memcpy(other_parts + part * WIDTH, &other_sums[part], sizeof more);
    }
    const pf_$T other_sum = pf_pairwise_rest_$T(pf_pairwise_joined_$T(other_parts), b, second);
    return first == 0 ? other_sum : pf_add_$T(pf_pairwise_joined_$T(parts), other_sum);
}
static inline pf_$T pf_pairwise_$T(const pf_$T *a, pf_i8 n)
{
    return pf_pairwise_numbers_$T((const pf_$F *)a, n * (pf_i8)(sizeof(pf_$T) / sizeof(pf_$F)));
}
//@ end

/* Halves are summed as floats; the caller rounds. */
static __attribute__((noinline)) pf_f4 pf_pairwise_f2(const pf_f2 *a, pf_i8 n)
{
    pf_f4 wide[1024];
    if (n > 1024)
        return pf_pairwise_f2(a, n / 16 * 8) + pf_pairwise_f2(a + n / 16 * 8, n - n / 16 * 8);
    for (pf_i8 k = 0; k < n; k++)
        wide[k] = pf_cast_f4_f2(a[k]);
    return pf_pairwise_f4(wide, n);
}

// Sums with where=: NumPy's masked loop adds the sum of each run of elements that count.

//@ for T in f4 f8 c8 c16
static __attribute__((noinline)) pf_$T pf_sum_of_runs_$T(pf_$T sum, const pf_$T *a, const pf_b1 *counts, pf_i8 n)
{
    for (pf_i8 first = 0, last; first < n; first = last + 1) {
        for (last = first; last < n && counts[last]; last++) {}
        if (last > first)
            sum = pf_add_$T(sum, pf_pairwise_$T(a + first, last - first));
    }
    return sum;
}
//@ end
static __attribute__((noinline)) pf_f2 pf_sum_of_runs_f2(pf_f2 sum, const pf_f2 *a, const pf_b1 *counts, pf_i8 n,
                                                          unsigned *status)
{
    for (pf_i8 first = 0, last; first < n; first = last + 1) {
        for (last = first; last < n && counts[last]; last++) {}
        if (last > first)
            sum = pf_cast_f2_f4(pf_cast_f4_f2(sum) + pf_pairwise_f2(a + first, last - first), status);
    }
    return sum;
}

// Folds: the accumulated value and the elements in an order left open; where gcc vectorises it, the plain loop. Of
// zeros of both signs, either may be the result.

//@ for T in i1 i2 i4 i8 u1 u2 u4 u8
static __attribute__((noinline)) pf_$T pf_fold_add_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    for (pf_i8 k = 0; k < n; k++)
        accumulated = pf_add_$T(accumulated, a[k]);
    return accumulated;
}
static __attribute__((noinline)) pf_$T pf_fold_multiply_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    for (pf_i8 k = 0; k < n; k++)
        accumulated = pf_multiply_$T(accumulated, a[k]);
    return accumulated;
}
static __attribute__((noinline)) pf_$T pf_fold_bitwise_and_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    for (pf_i8 k = 0; k < n; k++)
        accumulated = pf_bitwise_and_$T(accumulated, a[k]);
    return accumulated;
}
static __attribute__((noinline)) pf_$T pf_fold_bitwise_or_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    for (pf_i8 k = 0; k < n; k++)
        accumulated = pf_bitwise_or_$T(accumulated, a[k]);
    return accumulated;
}
static __attribute__((noinline)) pf_$T pf_fold_bitwise_xor_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    for (pf_i8 k = 0; k < n; k++)
        accumulated = pf_bitwise_xor_$T(accumulated, a[k]);
    return accumulated;
}
//@ end

//@ for T in i1 i2 i4 u1 u2 u4
static __attribute__((noinline)) pf_$T pf_fold_maximum_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    for (pf_i8 k = 0; k < n; k++)
        accumulated = pf_maximum_$T(accumulated, a[k]);
    return accumulated;
}
static __attribute__((noinline)) pf_$T pf_fold_minimum_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    for (pf_i8 k = 0; k < n; k++)
        accumulated = pf_minimum_$T(accumulated, a[k]);
    return accumulated;
}
static __attribute__((noinline)) pf_$T pf_fold_fmax_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    for (pf_i8 k = 0; k < n; k++)
        accumulated = pf_fmax_$T(accumulated, a[k]);
    return accumulated;
}
static __attribute__((noinline)) pf_$T pf_fold_fmin_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    for (pf_i8 k = 0; k < n; k++)
        accumulated = pf_fmin_$T(accumulated, a[k]);
    return accumulated;
}
//@ end

// AVX2 has no extremes of 64-bit integers, and gcc's single accumulator would wait for itself. (Four products side by
// side would be faster there, but gcc 12 miscompiles them for AVX-512.)

//@ for T in i8 u8
/* The last lanes overlap those before. */
static inline pf_$T pf_extreme_integer_$T(const int largest, pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    enum { LANES = 2 * 16 };
    pf_$T lane[LANES];
    if (n >= LANES) {
        for (int j = 0; j < LANES; j++)
            lane[j] = accumulated;
        for (pf_i8 k = 0; k < n; k += LANES) {
            const pf_$T *block = a + (k + LANES <= n ? k : n - LANES);
            for (int j = 0; j < LANES; j++)
                lane[j] = largest ? pf_maximum_$T(lane[j], block[j]) : pf_minimum_$T(lane[j], block[j]);
        }
        for (int j = 0; j < 16; j++)
            lane[j] = largest ? pf_maximum_$T(lane[j], lane[j + 16]) : pf_minimum_$T(lane[j], lane[j + 16]);
        a = lane;
        n = 16;
    }
    for (pf_i8 k = 0; k < n; k++)
        accumulated = largest ? pf_maximum_$T(accumulated, a[k]) : pf_minimum_$T(accumulated, a[k]);
    return accumulated;
}
static __attribute__((noinline)) pf_$T pf_fold_maximum_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    return pf_extreme_integer_$T(1, accumulated, a, n);
}
static __attribute__((noinline)) pf_$T pf_fold_minimum_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    return pf_extreme_integer_$T(0, accumulated, a, n);
}
static __attribute__((noinline)) pf_$T pf_fold_fmax_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    return pf_extreme_integer_$T(1, accumulated, a, n);
}
static __attribute__((noinline)) pf_$T pf_fold_fmin_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    return pf_extreme_integer_$T(0, accumulated, a, n);
}
//@ end

// Booleans, of which any non-zero byte counts as true.

static inline pf_b1 pf_any_b1(const pf_b1 *a, pf_i8 n)
{
    pf_u1 any = 0;
    for (pf_i8 k = 0; k < n; k++)
        any |= a[k];
    return any != 0;
}
static inline pf_b1 pf_all_b1(const pf_b1 *a, pf_i8 n)
{
    pf_u1 all = 1;
    for (pf_i8 k = 0; k < n; k++)
        all &= a[k] != 0;
    return all;
}
static inline pf_b1 pf_parity_b1(const pf_b1 *a, pf_i8 n)
{
    pf_u1 odd = 0;
    for (pf_i8 k = 0; k < n; k++)
        odd ^= a[k] != 0;
    return odd;
}
static __attribute__((noinline)) pf_b1 pf_fold_add_b1(pf_b1 accumulated, const pf_b1 *a, pf_i8 n)
{
    return pf_add_b1(accumulated, pf_any_b1(a, n));
}
static __attribute__((noinline)) pf_b1 pf_fold_maximum_b1(pf_b1 accumulated, const pf_b1 *a, pf_i8 n)
{
    return pf_maximum_b1(accumulated, pf_any_b1(a, n));
}
static __attribute__((noinline)) pf_b1 pf_fold_fmax_b1(pf_b1 accumulated, const pf_b1 *a, pf_i8 n)
{
    return pf_fmax_b1(accumulated, pf_any_b1(a, n));
}
static __attribute__((noinline)) pf_b1 pf_fold_bitwise_or_b1(pf_b1 accumulated, const pf_b1 *a, pf_i8 n)
{
    return pf_bitwise_or_b1(accumulated, pf_any_b1(a, n));
}
static __attribute__((noinline)) pf_b1 pf_fold_logical_or_b1(pf_b1 accumulated, const pf_b1 *a, pf_i8 n)
{
    return pf_logical_or_b1(accumulated, pf_any_b1(a, n));
}
static __attribute__((noinline)) pf_b1 pf_fold_multiply_b1(pf_b1 accumulated, const pf_b1 *a, pf_i8 n)
{
    return pf_multiply_b1(accumulated, pf_all_b1(a, n));
}
static __attribute__((noinline)) pf_b1 pf_fold_minimum_b1(pf_b1 accumulated, const pf_b1 *a, pf_i8 n)
{
    return pf_minimum_b1(accumulated, pf_all_b1(a, n));
}
static __attribute__((noinline)) pf_b1 pf_fold_fmin_b1(pf_b1 accumulated, const pf_b1 *a, pf_i8 n)
{
    return pf_fmin_b1(accumulated, pf_all_b1(a, n));
}
static __attribute__((noinline)) pf_b1 pf_fold_bitwise_and_b1(pf_b1 accumulated, const pf_b1 *a, pf_i8 n)
{
    return pf_bitwise_and_b1(accumulated, pf_all_b1(a, n));
}
static __attribute__((noinline)) pf_b1 pf_fold_logical_and_b1(pf_b1 accumulated, const pf_b1 *a, pf_i8 n)
{
    return pf_logical_and_b1(accumulated, pf_all_b1(a, n));
}
static __attribute__((noinline)) pf_b1 pf_fold_bitwise_xor_b1(pf_b1 accumulated, const pf_b1 *a, pf_i8 n)
{
    return pf_bitwise_xor_b1(accumulated, pf_parity_b1(a, n));
}
static __attribute__((noinline)) pf_b1 pf_fold_logical_xor_b1(pf_b1 accumulated, const pf_b1 *a, pf_i8 n)
{
    return pf_logical_xor_b1(accumulated, pf_parity_b1(a, n));
}
static __attribute__((noinline)) pf_i8 pf_count_nonzero_b1(const pf_b1 *a, pf_i8 n)
{
    pf_i8 total = 0;
    while (n > 0) {
        enum { LANES = 64 };
        const pf_i8 part = n < 255 * LANES ? n : 255 * LANES; /* what a byte can count */
        pf_u1 count[LANES] = {0};
        pf_i8 k = 0;
        for (; k + LANES <= part; k += LANES)
            for (int j = 0; j < LANES; j++)
                count[j] += a[k + j] != 0;
        for (int j = 0; j < LANES; j++)
            total += count[j];
        for (; k < part; k++)
            total += a[k] != 0;
        a += part;
        n -= part;
    }
    return total;
}

// Extremes of floating-point numbers. A NaN is replaced before it is compared, so none raises a flag.

static inline pf_f2 pf_infinity_f2(const int negative) { return negative ? 0xfc00 : 0x7c00; }
static inline pf_f2 pf_most_finite_f2(const int negative) { return negative ? 0xfbff : 0x7bff; }
/* Integers in the order of the numbers, -0 before +0; and back. */
static inline pf_i2 pf_rank_f2(pf_f2 a) { return (pf_i2)(a ^ ((pf_u2)-(pf_u2)(a >> 15) & 0x7fff)); }
static inline pf_f2 pf_best_number_f2(const int largest, pf_f2 nan, const pf_f2 *a, pf_i8 n)
{
    pf_i2 best = pf_rank_f2(pf_infinity_f2(largest));
    for (pf_i8 k = 0; k < n; k++) {
        const pf_i2 rank = pf_rank_f2(pf_isnan_f2(a[k]) ? nan : a[k]);
        best = largest ? pf_maximum_i2(best, rank) : pf_minimum_i2(best, rank);
    }
    return (pf_f2)pf_rank_f2((pf_f2)best);
}
//@ for T in f4 f8
static inline pf_$T pf_infinity_$T(const int negative)
{
    return (pf_$T)(negative ? -__builtin_inf() : __builtin_inf());
}
static inline pf_$T pf_most_finite_$T(const int negative)
{
    return pf_from_bits_$T(pf_bits_$T(pf_infinity_$T(negative)) - 1);
}
static inline pf_$T pf_better_number_$T(const int largest, pf_$T a, pf_$T b)
{
    return largest ? (a > b ? a : b) : (a < b ? a : b);
}
/* The maximum (or minimum) of numbers; where b is NaN it counts as the infinity that wins, so one may be the reason for
 * that. Half the instructions of pf_maximum. Chosen by bits: of ?: gcc 12 makes a comparison with the NaN itself, which
 * raises a flag. */
static inline pf_$T pf_extreme_but_nan_$T(const int largest, pf_$T a, pf_$T b)
{
    return pf_better_number_$T(largest, a, pf_choose_$T(pf_nan_mask_$T(b), pf_infinity_$T(!largest), b));
}
/* The largest (or smallest) element, or the infinity that is worst; a NaN counts as nan, which is a number. With 32
 * lanes gcc 12 makes vectors of them and keeps them in registers; with 16 it does not. */
static inline pf_$T pf_best_number_$T(const int largest, pf_$T nan, const pf_$T *a, pf_i8 n)
{
    enum { LANES = 32 };
    const pf_$T worst = pf_infinity_$T(largest);
    pf_$T best[LANES], few[LANES];
    const pf_$T *last = a + n - LANES;
    for (int j = 0; j < LANES; j++)
        best[j] = worst;
    if (n < LANES) {
        for (int j = 0; j < LANES; j++)
            few[j] = worst;
        __builtin_memcpy(few, a, n * sizeof *a);
        last = few;
    }
    for (pf_i8 k = 0; k < n; k += LANES) {
        const pf_$T *block = k + LANES <= n ? a + k : last;
        for (int j = 0; j < LANES; j++)
            best[j] = pf_better_number_$T(largest, block[j] != block[j] ? nan : block[j], best[j]);
    }
    for (int j = 0; j < LANES / 2; j++)
        best[j] = pf_better_number_$T(largest, best[j], best[j + LANES / 2]);
    for (int j = 0; j < LANES / 4; j++)
        best[j] = pf_better_number_$T(largest, best[j], best[j + LANES / 4]);
#pragma GCC unroll 1
    for (int j = 1; j < LANES / 4; j++)
        best[0] = pf_better_number_$T(largest, best[0], best[j]);
    return best[0];
}
//@ end

//@ for T in f2 f4 f8
/* A NaN counts as the infinity that wins; if that is the result, a NaN may be the reason. */
static inline pf_$T pf_extreme_or_nan_$T(const int largest, const pf_$T *a, pf_i8 n)
{
    const pf_$T nan = pf_infinity_$T(!largest), best = pf_best_number_$T(largest, nan, a, n);
    if (pf_equal_$T(best, nan))
        for (pf_i8 k = 0; k < n; k++)
            if (pf_isnan_$T(a[k]))
                return a[k];
    return best;
}
/* The accumulated value included, since all elements may be NaN. They count as the finite number that is worst (the
 * infinity would let the compiler compare the NaN itself); if nothing is better, the result is found with care. */
static inline pf_$T pf_extreme_of_numbers_$T(const int largest, pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    const pf_$T nan = pf_most_finite_$T(largest), best = pf_best_number_$T(largest, nan, a, n);
    if (!pf_equal_$T(best, nan) & !pf_equal_$T(best, pf_infinity_$T(largest)))
        return largest ? pf_fmax_$T(accumulated, best) : pf_fmin_$T(accumulated, best);
    for (pf_i8 k = 0; k < n; k++)
        if (!pf_isnan_$T(a[k]))
            accumulated = largest ? pf_fmax_$T(accumulated, a[k]) : pf_fmin_$T(accumulated, a[k]);
    return accumulated;
}
static __attribute__((noinline)) pf_$T pf_fold_maximum_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    return pf_maximum_$T(accumulated, pf_extreme_or_nan_$T(1, a, n));
}
static __attribute__((noinline)) pf_$T pf_fold_minimum_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    return pf_minimum_$T(accumulated, pf_extreme_or_nan_$T(0, a, n));
}
static __attribute__((noinline)) pf_$T pf_fold_fmax_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    return pf_extreme_of_numbers_$T(1, accumulated, a, n);
}
static __attribute__((noinline)) pf_$T pf_fold_fmin_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    return pf_extreme_of_numbers_$T(0, accumulated, a, n);
}
/* Which zeros are among the elements: 1 for +0, 2 for -0. */
static __attribute__((noinline)) pf_i4 pf_zero_signs_$T(const pf_$T *a, pf_i8 n)
{
    const pf_$U minus = (pf_$U)((pf_$U)1 << ($BITS - 1));
    pf_$U found = 0;
    for (pf_i8 k = 0; k < n; k++) {
        pf_$U bits;
        __builtin_memcpy(&bits, a + k, sizeof bits);
        found |= (pf_$U)(((pf_$U)-(bits == 0) & 1) | ((pf_$U)-(bits == minus) & 2));
    }
    return (pf_i4)found;
}
//@ end

// Where the extreme is, over a stream of tiles: the first of equals, and the first NaN before all. *index is -1 before
// the first tile.

static inline pf_b1 pf_beats_b1(const int largest, pf_b1 a, pf_b1 best)
{
    return largest ? (a != 0) > (best != 0) : (a != 0) < (best != 0);
}
static inline pf_u1 pf_found_mask_b1(pf_b1 a, pf_b1 wanted) { return (pf_u1)-((a != 0) == (wanted != 0)); }
//@ for T in i1 i2 i4 i8 u1 u2 u4 u8
static inline pf_b1 pf_beats_$T(const int largest, pf_$T a, pf_$T best) { return largest ? a > best : a < best; }
//@ end
//@ for T in i1 i2 u1 u2
static inline pf_$U pf_found_mask_$T(pf_$T a, pf_$T wanted) { return (pf_$U)-(a == wanted); }
//@ end

static inline pf_u2 pf_found_mask_f2(pf_f2 a, pf_f2 wanted)
{
    return (pf_u2)-(pf_equal_f2(a, wanted) | pf_isnan_f2(a));
}
//@ for T in f2 f4 f8
static inline pf_b1 pf_beats_$T(const int largest, pf_$T a, pf_$T best)
{
    const pf_b1 is_better = largest ? pf_less_$T(best, a) : pf_less_$T(a, best);
    return (pf_isnan_$T(a) | is_better) & !pf_isnan_$T(best);
}
//@ end

//@ for T in c8 c16
/* best is not NaN. */
static inline pf_b1 pf_beats_$T(const int largest, pf_$T a, pf_$T best)
{
    const pf_$U is_better = largest ? pf_below_mask_$T(best, a) : pf_below_mask_$T(a, best);
    return (~pf_ordered_mask_$F(a.re, a.im) | is_better) & 1;
}
static inline pf_$U pf_worse_mask_$T(const int largest, pf_$T a, pf_$T best)
{
    const pf_$U is_worse = largest ? pf_below_mask_$F(a.re, best.re) : pf_below_mask_$F(best.re, a.re);
    return is_worse & pf_ordered_mask_$F(a.im, a.im);
}
/* Most blocks are worse by their real parts alone. */
static inline void pf_arg_extreme_$T(const int largest, const pf_$T *a, pf_i8 n, pf_i8 first_index, pf_$T *best,
                                     pf_i8 *index)
{
    enum { BLOCK = 32 };
    if (n > 0 && *index < 0)
        *best = a[0], *index = first_index;
    pf_$T b = *best;
    for (pf_i8 start = 0; start < n; start += BLOCK) {
        const pf_i8 stop = start + BLOCK <= n ? start + BLOCK : n;
        pf_$U all_worse = -(pf_$U)(start + BLOCK <= n);
        if (all_worse)
            for (int j = 0; j < BLOCK; j++)
                all_worse &= pf_worse_mask_$T(largest, a[start + j], b);
        for (pf_i8 k = start; !all_worse & (k < stop) && !pf_isnan_$T(b); k++)
            if (!pf_worse_mask_$T(largest, a[k], b) && pf_beats_$T(largest, a[k], b))
                b = *best = a[k], *index = first_index + k;
    }
}
/* The first of equals stays, and the first NaN: what the search for the place finds. */
static __attribute__((noinline)) pf_$T pf_fold_maximum_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    pf_i8 index = 0;
    pf_arg_extreme_$T(1, a, n, 1, &accumulated, &index);
    return accumulated;
}
static __attribute__((noinline)) pf_$T pf_fold_minimum_$T(pf_$T accumulated, const pf_$T *a, pf_i8 n)
{
    pf_i8 index = 0;
    pf_arg_extreme_$T(0, a, n, 1, &accumulated, &index);
    return accumulated;
}
//@ end

//@ for T in i4 i8
static inline pf_$T pf_further_$T(const int largest, pf_$T a, pf_$T b)
{
    return largest ? (a > b ? a : b) : (a < b ? a : b);
}
//@ end

// Elements of 4 and 8 bytes are compared by keys, integers in their order: these raise no flag, and one instruction
// takes the larger, where AVX-512 compares by way of mask registers, one a cycle. A float's key is its bits in the
// order of the numbers, -0 as +0, turned around (modulo 2^32 or 2^64) so far that NaN of both signs come together, at
// the end that wins, and the worst infinity is at the other.

//@ for T in i4 i8
static inline pf_$T pf_key_turn_$T(const int largest) { return (void)largest, 0; }
static inline pf_$T pf_key_$T(pf_$T a, pf_$T turn) { return (void)turn, a; }
static inline pf_$T pf_of_key_$T(pf_$T key, pf_$T turn) { return (void)turn, key; }
static inline pf_b1 pf_is_nan_key_$T(const int largest, pf_$T key) { return (void)largest, (void)key, 0; }
//@ end
//@ for T in u4 u8
static inline pf_$S pf_key_turn_$T(const int largest) { return (void)largest, 0; }
static inline pf_$S pf_key_$T(pf_$T a, pf_$S turn) { return (void)turn, (pf_$S)(a ^ ($MAX / 2 + 1)); }
static inline pf_$T pf_of_key_$T(pf_$S key, pf_$S turn) { return (void)turn, (pf_$T)key ^ ($MAX / 2 + 1); }
static inline pf_b1 pf_is_nan_key_$T(const int largest, pf_$S key) { return (void)largest, (void)key, 0; }
//@ end
//@ for T in f4 f8
static inline pf_$S pf_key_turn_$T(const int largest)
{
    const pf_$S infinity = (pf_$S)pf_bits_$T(pf_infinity_$T(0)), top = (pf_$S)((pf_$U)-1 >> 1);
    return largest ? infinity - top - 1 : top - infinity;
}
static inline pf_$S pf_key_$T(pf_$T a, pf_$S turn)
{
    const pf_$S bits = (pf_$S)pf_bits_$T(a), minus = bits >> ($BITS - 1);
    return (bits ^ (minus & (pf_$S)((pf_$U)-1 >> 1))) + (turn - minus);
}
static inline pf_$T pf_of_key_$T(pf_$S key, pf_$S turn)
{
    const pf_$U bits = (pf_$U)(key - turn), minus = (pf_$U)1 << ($BITS - 1);
    return pf_from_bits_$T(key - turn < 0 ? minus - bits : bits);
}
static inline pf_b1 pf_is_nan_key_$T(const int largest, pf_$S key)
{
    const pf_$S infinity = (pf_$S)pf_bits_$T(pf_infinity_$T(0)), turn = pf_key_turn_$T(largest);
    return largest ? key > turn + infinity : key < turn - infinity;
}
//@ end

//@ for T in i4 i8 u4 u8 f4 f8
/* In one pass each lane keeps its best key and the first block that has it, as the number of blocks left (the last
 * block overlaps the one before). Then the place in that block, counted from its end: the first of equals has most
 * left. So many lanes gcc 12 keeps in vector registers. */
static inline void pf_arg_extreme_$T(const int largest, const pf_$T *a, pf_i8 n, pf_i8 first_index, pf_$T *best,
                                     pf_i8 *index)
{
    enum { IS_AVX2_F8 = __BIGGEST_ALIGNMENT__ < 64 && sizeof(pf_$T) == 8 && (pf_$T)0.5 != 0 };
    enum { LANES = IS_AVX2_F8 ? 16 : 32, BLOCK = 2 * LANES, FEW = 12 };
    const pf_$S top = (pf_$S)((pf_$U)-1 >> 1), turn = pf_key_turn_$T(largest);
    const pf_i8 blocks = n / BLOCK + (n % BLOCK != 0);
    pf_$T few[BLOCK];
    const pf_$T *last = a + n - BLOCK;
    pf_$S most[LANES], from[LANES], left = (pf_$S)blocks;
    if (n < FEW) {
#pragma GCC unroll 1
        for (pf_i8 k = 0; k < n; k++)
            if (*index < 0 || pf_beats_$T(largest, a[k], *best))
                *best = a[k], *index = first_index + k;
        return;
    }
    if (n < BLOCK) {
        for (int j = 0; j < BLOCK; j++)
            few[j] = a[n - 1];
        __builtin_memcpy(few, a, n * sizeof *a);
        last = few;
    }
    for (int j = 0; j < LANES; j++)
        most[j] = largest ? ~top : top, from[j] = left;
    for (pf_i8 k = 0; k < n; k += BLOCK) {
        const pf_$T *block = k + BLOCK <= n ? a + k : last;
        for (int j = 0; j < LANES; j++) {
            const pf_$S p = pf_further_$S(largest, pf_key_$T(block[j], turn), pf_key_$T(block[j + LANES], turn));
            from[j] = (largest ? p > most[j] : p < most[j]) ? left : from[j];
            most[j] = pf_further_$S(largest, p, most[j]);
        }
        left--;
    }
    pf_$S wanted = most[0], blocks_left = 0, place_left = 0;
    for (int j = 0; j < LANES; j++)
        wanted = pf_further_$S(largest, wanted, most[j]);
    if (pf_is_nan_key_$T(largest, wanted)) {
        pf_i8 first = 0;
        while (!pf_isnan_$T(a[first]))
            first++;
        if (*index < 0 || !pf_isnan_$T(*best))
            *best = a[first], *index = first_index + first;
        return;
    }
    const pf_$T value = pf_of_key_$T(wanted, turn);
    if (*index >= 0 && !pf_beats_$T(largest, value, *best))
        return;
    for (int j = 0; j < LANES; j++)
        blocks_left = pf_further_$S(1, blocks_left, from[j] & -(pf_$S)(most[j] == wanted));
    const pf_i8 k = (blocks - blocks_left) * BLOCK, begin = n < BLOCK ? 0 : k + BLOCK <= n ? k : n - BLOCK;
    const pf_$T *block = n < BLOCK ? few : a + begin;
    for (int j = 0; j < BLOCK; j++)
        place_left = pf_further_$S(1, place_left, (BLOCK - j) & -(pf_$S)(block[j] == value));
    const pf_i8 place = begin + BLOCK - place_left;
    *best = a[place];
    *index = first_index + place;
}
//@ end

/* The first true (or false) one ends the search. */
static inline void pf_arg_extreme_b1(const int largest, const pf_b1 *a, pf_i8 n, pf_i8 first_index, pf_b1 *best,
                                     pf_i8 *index)
{
    enum { LANES = 64 };
    if (n == 0 || (*index >= 0 && (*best != 0) == largest))
        return;
    pf_i8 k = 0;
    for (; k + LANES <= n; k += LANES) {
        pf_u1 found = 0;
        for (int j = 0; j < LANES; j++)
            found |= pf_found_mask_b1(a[k + j], largest);
        if (found)
            break;
    }
    while (k < n && (a[k] != 0) != largest)
        k++;
    if (k < n)
        *best = largest, *index = first_index + k;
    else if (*index < 0)
        *best = !largest, *index = first_index;
}

//@ for T in i1 i2 u1 u2 f2
/* Most tiles do not improve on *best, and are folded only. */
static inline void pf_arg_extreme_$T(const int largest, const pf_$T *a, pf_i8 n, pf_i8 first_index, pf_$T *best,
                                     pf_i8 *index)
{
    enum { LANES = 64 };
    if (n == 0)
        return;
    const pf_$T wanted = largest ? pf_fold_maximum_$T(a[0], a, n) : pf_fold_minimum_$T(a[0], a, n);
    if (*index >= 0 && !pf_beats_$T(largest, wanted, *best))
        return;
    pf_i8 k = 0;
    for (; k + LANES <= n; k += LANES) {
        pf_$U found = 0;
        for (int j = 0; j < LANES; j++)
            found |= pf_found_mask_$T(a[k + j], wanted);
        if (found)
            break;
    }
    while (!pf_found_mask_$T(a[k], wanted))
        k++;
    *best = a[k];
    *index = first_index + k;
}
//@ end

//@ for T in b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16
static __attribute__((noinline)) void pf_arg_maximum_$T(const pf_$T *a, pf_i8 n, pf_i8 first_index, pf_$T *best,
                                                      pf_i8 *index)
{
    pf_arg_extreme_$T(1, a, n, first_index, best, index);
}
static __attribute__((noinline)) void pf_arg_minimum_$T(const pf_$T *a, pf_i8 n, pf_i8 first_index, pf_$T *best,
                                                      pf_i8 *index)
{
    pf_arg_extreme_$T(0, a, n, first_index, best, index);
}
//@ end
