// The C library's own memory, for rows that a kernel keeps between its passes.

extern void *pf_take_memory(unsigned long bytes) __asm__("malloc");
extern void pf_give_memory_back(void *memory) __asm__("free");

// Elements from `at` to the next cache line's beginning.
static inline pf_i8 pf_to_line(const void *at, pf_i8 itemsize)
{
    return (pf_i8)(-(unsigned long)at % 64) / itemsize;
}

// Rows may go to memory past the caches, by way of a tile, without being read first: 5.9 ms for 7.6 of a * b + c with
// 10,000,000 doubles on one thread. Where the tile of `tile` elements that starts at `begin` ends, so that the next one
// starts on a cache line.
static inline pf_i8 pf_tile_end(const void *at, pf_i8 begin, pf_i8 end, pf_i8 tile, pf_i8 itemsize)
{
    const pf_i8 ahead = pf_to_line(at, itemsize);
    const pf_i8 count = ahead > 0 ? ahead : tile;
    return end - begin > count ? begin + count : end;
}

// Write a tile. On other processors than x86, and where it is not whole cache lines, as any other memory.
static inline void pf_stream(void *to, const void *from, pf_i8 bytes)
{
    const int is_whole = ((unsigned long)to | (unsigned long)bytes) % 64 == 0;
#if defined(__AVX512F__) && !defined(__clang__)
    typedef long long pf_line __attribute__((vector_size(64)));
    if (is_whole) {
        for (pf_i8 place = 0; place < bytes; place += 64)
            __builtin_ia32_movntdq512((pf_line *)((char *)to + place), *(const pf_line *)((const char *)from + place));
        return;
    }
#elif defined(__AVX__) && !defined(__clang__)
    typedef long long pf_line __attribute__((vector_size(32)));
    if (is_whole) {
        for (pf_i8 place = 0; place < bytes; place += 32)
            __builtin_ia32_movntdq256((pf_line *)((char *)to + place), *(const pf_line *)((const char *)from + place));
        return;
    }
#elif defined(__clang__)
    typedef long long pf_line __attribute__((vector_size(32)));
    if (is_whole) {
        for (pf_i8 place = 0; place < bytes; place += 32)
            __builtin_nontemporal_store(*(const pf_line *)((const char *)from + place), (pf_line *)((char *)to + place));
        return;
    }
#endif
    (void)is_whole;
    __builtin_memcpy(to, from, (unsigned long)bytes);
}

// After the last of them: such writes wait for no others, and other threads are to see them.
static inline void pf_stream_ends(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

// Rows of a tile are short: the processor's own prefetching does not begin before they end. So a row of the tile after
// the next is asked for while this one's is computed, into the second-level cache. 3162 x 3162 elements, added to turned
// ones and written past the caches, on one thread and on two: float32 6.5 and 4.0 ms, float64 12.0 and 7.1; of the next
// tile and into the first level 7.3 and 4.6, 16.0 and 8.8; of the next tile into the second level 11.8 and 6.7, 17.8 and
// 9.7. Asking for the next columns as well: 7.0 and 3.5, 12.2 and 6.7, but half as fast where results lie badly.
static inline void pf_fetch_row(const char *from, pf_i8 bytes)
{
    for (pf_i8 place = 0; place < bytes; place += 64) __builtin_prefetch(from + place, 0, 2);
}

// Rows of one array that are read beside each other, as a stencil reads them, come from memory once, and then from the
// second-level cache; the processor's prefetching is late for the first time. Asked for 8 KiB ahead into that cache, the
// last of them lets five points of 3162 x 3162 doubles take 5.2 ms for 9.0 on one thread and 2.5 for 4.7 on two; into
// the first-level cache 7.4, 1 KiB ahead 9.0, 4 to 100 KiB ahead 5.2 to 5.4. Rows that are further apart than half of the
// cache, or nearer than a page, are none: 0.
static inline const char *pf_last_of_rows(const void *const *rows, int count)
{
    const char *low = (const char *)rows[0], *high = low;
    for (int number = 1; number < count; number++) {
        const char *const row = (const char *)rows[number];
        low = row < low ? row : low;
        high = row > high ? row : high;
    }
    return high - low >= 4096 && high - low <= 512 << 10 ? high : 0;
}
static inline void pf_fetch_ahead(const char *from, pf_i8 bytes)
{
    pf_fetch_row(from + 8192, bytes);
}

// Results of a kernel may lie where it reads: then a tile of them is written when it is known that nothing was met in it
// that is reported. 25 us for 24 of a += b * c with 100,000 doubles without such a look, and 28 where the kernel read
// a copy of what it overwrites (docs/decisions/0011). First the tile is in memory, and all flags of it are up.
static inline void pf_is_in_tile(const void *tile)
{
    __asm__ volatile("" : : "r"(tile) : "memory");
}

// The processor's flags, as status bits; all of them where they cannot be read.
static inline unsigned pf_float_flags(void)
{
#if defined(__SSE__)
    const unsigned mxcsr = __builtin_ia32_stmxcsr();
    return (mxcsr >> 2 & (PF_DIVIDE | PF_OVERFLOW | PF_UNDERFLOW)) | (mxcsr & 1) * PF_INVALID;
#elif defined(__aarch64__)
    unsigned long fpsr;
    __asm__ volatile("mrs %0, fpsr" : "=r"(fpsr));
    return (unsigned)(fpsr >> 1 & (PF_DIVIDE | PF_OVERFLOW | PF_UNDERFLOW)) | (unsigned)(fpsr & 1) * PF_INVALID;
#else
    return PF_DIVIDE | PF_OVERFLOW | PF_UNDERFLOW | PF_INVALID;
#endif
}

// Lower the flags that the above reads.
static inline void pf_lower_float_flags(void)
{
#if defined(__SSE__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() & ~0x1du);
#elif defined(__aarch64__)
    unsigned long fpsr;
    __asm__ volatile("mrs %0, fpsr" : "=r"(fpsr));
    __asm__ volatile("msr fpsr, %0" : : "r"(fpsr & ~0xful));
#endif
}

// Whether the elements from `begin` to before `end` are left as they were, because this thread or another has met what
// is reported. The record of a call: what is reported; how many parts were left; their beginnings and ends.
static inline int pf_leaves(pf_i8 *record, unsigned status, pf_i8 begin, pf_i8 end)
{
    if (((status | pf_float_flags()) & (unsigned)record[0]) == 0 && __atomic_load_n(&record[1], __ATOMIC_RELAXED) == 0)
        return 0;
    pf_i8 *part = record + 2 + 2 * __atomic_fetch_add(&record[1], 1, __ATOMIC_RELAXED);
    part[0] = begin;
    part[1] = end;
    return 1;
}

// Write such a tile. 32 us for 45 by way of memcpy, of 1024 bytes at a time, while another thread used the same core.
static inline void pf_put(void *to, const void *from, pf_i8 bytes)
{
    typedef long long pf_any_line __attribute__((vector_size(64), aligned(1), may_alias));
    if (bytes == 512) {
#pragma GCC unroll 8
        for (pf_i8 place = 0; place < 512; place += 64)
            *(pf_any_line *)((char *)to + place) = *(const pf_any_line *)((const char *)from + place);
    } else {
        __builtin_memcpy(to, from, (unsigned long)bytes);
    }
}

// Whether none of a tile's results is Inf or NaN: of operations that show errors none has met one then, but underflow
// (graph/ops.py). Tiles of 256 bytes of a += b * c, 1,000 doubles: 0.14 us, for 0.27 by the flags, which are waited for.
// By sums, which all processors have in vectors: without AVX 36 us, by the maximum 72, of 100,000 doubles.
//@ for T in f4 f8
static inline int pf_are_finite_$T(const pf_$T *kept, pf_i8 count)
{
    const pf_$U one = (pf_$U)1 << ($BITS == 32 ? 23 : 52), exponent = (pf_$U)-1 / 2 / one * one;
    pf_$U any = 0;
    for (pf_i8 place = 0; place < count; ++place) {
        pf_$U bits;
        __builtin_memcpy(&bits, kept + place, sizeof bits);
        any |= (bits & exponent) + one; // the exponent all ones and one carry into the sign
    }
    return (pf_$S)any >= 0;
}
//@ end

// Write results that are in registers, if this reads them in the vectors in which they were computed: by a loop over
// elements, which gcc makes a memcpy, they go through memory. 25 us for 26 of a += b * c with 100,000 doubles.
static inline void pf_put_kept(void *to, const void *kept, pf_i8 bytes)
{
    typedef long long pf_any_vector __attribute__((vector_size(__BIGGEST_ALIGNMENT__), aligned(1), may_alias));
#pragma GCC unroll 32
    for (pf_i8 place = 0; place < bytes; place += __BIGGEST_ALIGNMENT__)
        *(pf_any_vector *)((char *)to + place) = *(const pf_any_vector *)((const char *)kept + place);
}
