// The sums of eight leaves of NumPy's pairwise tree that are the halves' halves' halves of one stretch, for kernels
// that add as they compute (``cpu/leaf_text.py``). See ``reductions.c`` for the tree.

/* Which of the eight leaves of a stretch have one eight of numbers more than the others, as bits, the first leaf's
   lowest: each half is cut at a whole eight, rounded down, so that the second may have one more. rest: how many eights
   are left over. */
static inline unsigned pf_longer_leaves(pf_i8 rest)
{
    return 0xfeeeeaaaa8888000ULL >> (rest * 8) & 0xff;
}

/* Whether a stretch of more than 128 numbers has eight leaves, all three halvings deep. */
static inline int pf_is_eight_leaves(pf_i8 n)
{
    return n <= 1024 && n >= 8 * 68 && (n <= 8 * 120 + 7 || n % 8 == 0);
}

//@ for T in f4 f8
/* The eight partial sums of each of eight leaves, added: 64 numbers come in, eight go out. */
static inline void pf_pairwise_eight_$T(const pf_$T *lanes, pf_$T *sums)
{
#if defined __has_builtin && __BIGGEST_ALIGNMENT__ >= 32
#if __has_builtin(__builtin_shufflevector)
    typedef pf_$T eight __attribute__((vector_size(8 * sizeof(pf_$T))));
    if (sizeof(eight) <= __BIGGEST_ALIGNMENT__) {
        eight in[8], twos[4], fours[2];
        __builtin_memcpy(in, lanes, sizeof in);
        for (int k = 0; k < 4; k++)
            twos[k] = __builtin_shufflevector(in[2 * k], in[2 * k + 1], 0, 8, 2, 10, 4, 12, 6, 14)
                    + __builtin_shufflevector(in[2 * k], in[2 * k + 1], 1, 9, 3, 11, 5, 13, 7, 15);
        for (int k = 0; k < 2; k++)
            fours[k] = __builtin_shufflevector(twos[2 * k], twos[2 * k + 1], 0, 1, 8, 9, 4, 5, 12, 13)
                     + __builtin_shufflevector(twos[2 * k], twos[2 * k + 1], 2, 3, 10, 11, 6, 7, 14, 15);
        in[0] = __builtin_shufflevector(fours[0], fours[1], 0, 1, 2, 3, 8, 9, 10, 11)
              + __builtin_shufflevector(fours[0], fours[1], 4, 5, 6, 7, 12, 13, 14, 15);
        __builtin_memcpy(sums, in, sizeof(eight));
        return;
    }
#endif
#endif
    for (int k = 0; k < 8; k++)
        sums[k] = pf_pairwise_joined_$T(lanes + 8 * k);
}
//@ end
