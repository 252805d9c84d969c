// The C library's own memory, for rows that a kernel keeps between its passes.

extern void *pf_take_memory(unsigned long bytes) __asm__("malloc");
extern void pf_give_memory_back(void *memory) __asm__("free");
