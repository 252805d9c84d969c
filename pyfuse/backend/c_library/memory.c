// The C library's own memory, for rows that a kernel keeps between its passes.

extern void *pf_take_memory(unsigned long bytes) __asm__("malloc");
extern void pf_give_memory_back(void *memory) __asm__("free");

// Rows may go to memory past the caches, by way of a tile, without being read first: 5.9 ms for 7.6 of a * b + c with
// 10,000,000 doubles on one thread. Where the tile of `tile` elements that starts at `begin` ends, so that the next one
// starts on a cache line.
static inline pf_i8 pf_tile_end(const void *at, pf_i8 begin, pf_i8 end, pf_i8 tile, pf_i8 itemsize)
{
    const pf_i8 ahead = (pf_i8)(-(unsigned long)at % 64) / itemsize;
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
