/* Memory of large outputs that are no longer used, kept for the next ones. All calls hold the GIL. */
#ifndef PYFUSE_OUTPUT_POOL_H
#define PYFUSE_OUTPUT_POOL_H

#include <stddef.h>

/* Whether this system has what the pool is made of; without it nothing else here may be called. */
int pool_is_there(void);

/* Memory of at least so many bytes, from the pool or the system; NULL when there is none. Its contents are undefined. */
void *pool_take(size_t bytes);

/* Give memory of pool_take back. */
void pool_give(void *data);

/* How many bytes pool_take has set aside behind this address: as asked for or more. */
size_t pool_capacity(const void *data);

/* Bytes that may lie idle from now on; what is too much goes back to the system, the oldest first. */
void pool_set_limit(size_t bytes);

size_t pool_idle_bytes(void);

/* How often pool_take was answered from the pool, since the process began. */
unsigned long long pool_reuses(void);

#endif
