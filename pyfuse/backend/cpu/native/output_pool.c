/* Memory of large outputs that are no longer used, kept for the next ones.

   New pages are the dearest part of a memory-bound call: the system clears each when it is first written. On the
   machine of docs/decisions/0016-memory-of-outputs.md an output of 80 MB took 8.7 ms to be mapped, written and unmapped, and
   1.9 ms to be written again.

   Idle memory is still the system's: whole huge pages are marked MADV_FREE (14 us for 80 MB), so they are taken
   away, without being written anywhere, before the process or its control group runs out of memory. */
#include "output_pool.h"

#ifdef __linux__

#define _GNU_SOURCE
#include <stdint.h>
#include <sys/mman.h>

enum { MOST_IDLE = 32 };
enum { PAGE = 4096 };
static const size_t HUGE_PAGE = (size_t)2 << 20;

/* In the page before the data, so that the data begin on a page. */
typedef struct {
    void *mapping;
    size_t mapped, capacity;
} block;

static struct {
    block *idle[MOST_IDLE]; /* the one that was given last comes first: it may still be in a cache */
    int count;
    size_t bytes, limit;
    unsigned long long reuses;
} pool;

int pool_is_there(void) { return 1; }

static block *block_of(const void *data) { return (block *)((char *)data - PAGE); }

static void *data_of(block *one) { return (char *)one + PAGE; }

size_t pool_capacity(const void *data) { return block_of(data)->capacity; }

size_t pool_idle_bytes(void) { return pool.bytes; }

unsigned long long pool_reuses(void) { return pool.reuses; }

static block *remove_idle(int place)
{
    block *one = pool.idle[place];
    pool.count--;
    for (int number = place; number < pool.count; number++) pool.idle[number] = pool.idle[number + 1];
    pool.bytes -= one->capacity;
    return one;
}

static void unmap(block *one) { munmap(one->mapping, one->mapped); }

static void shrink_to(size_t bytes, int count)
{
    while (pool.count > 0 && (pool.bytes > bytes || pool.count > count)) unmap(remove_idle(pool.count - 1));
}

void pool_set_limit(size_t bytes)
{
    pool.limit = bytes;
    shrink_to(bytes, MOST_IDLE);
}

/* Huge pages are for memory that begins on one: what lies before is given back, but for the block's own page. */
static block *map(size_t capacity)
{
    size_t alignment = capacity >= HUGE_PAGE ? HUGE_PAGE : PAGE;
    /* Nothing to cut off of smaller ones: those that lie side by side are one mapping of the system's, which limits them. */
    size_t mapped = capacity + PAGE + (alignment > PAGE ? alignment : 0);
    char *mapping = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) return NULL;
    char *data = (char *)(((uintptr_t)mapping + PAGE + alignment - 1) / alignment * alignment);
    char *begin = data - PAGE, *end = data + capacity;
    if (begin > mapping) munmap(mapping, (size_t)(begin - mapping));
    if (mapping + mapped > end) munmap(end, (size_t)(mapping + mapped - end));
    if (capacity >= HUGE_PAGE) madvise(data, capacity, MADV_HUGEPAGE);
    block *one = (block *)begin;
    one->mapping = begin;
    one->mapped = (size_t)(end - begin);
    one->capacity = capacity;
    return one;
}

void *pool_take(size_t bytes)
{
    if (bytes > SIZE_MAX / 2) return NULL;
    size_t capacity = (bytes + PAGE - 1) / PAGE * PAGE;
    for (int place = 0; place < pool.count; place++) {
        size_t held = pool.idle[place]->capacity;
        if (held >= capacity && held - capacity <= capacity / 8) {
            pool.reuses++;
            return data_of(remove_idle(place));
        }
    }
    block *one = map(capacity);
    if (one == NULL && pool.count > 0) {
        shrink_to(0, 0);
        one = map(capacity);
    }
    return one != NULL ? data_of(one) : NULL;
}

void pool_give(void *data)
{
    if (data == NULL) return;
    block *one = block_of(data);
    if (one->capacity > pool.limit) {
        unmap(one);
        return;
    }
    shrink_to(pool.limit - one->capacity, MOST_IDLE - 1);
    size_t whole = one->capacity / HUGE_PAGE * HUGE_PAGE;
    if (whole > 0) madvise(data, whole, MADV_FREE);
    for (int number = pool.count; number > 0; number--) pool.idle[number] = pool.idle[number - 1];
    pool.idle[0] = one;
    pool.count++;
    pool.bytes += one->capacity;
}

#else

int pool_is_there(void) { return 0; }
void *pool_take(size_t bytes) { (void)bytes; return NULL; }
void pool_give(void *data) { (void)data; }
size_t pool_capacity(const void *data) { (void)data; return 0; }
void pool_set_limit(size_t bytes) { (void)bytes; }
size_t pool_idle_bytes(void) { return 0; }
unsigned long long pool_reuses(void) { return 0; }

#endif
