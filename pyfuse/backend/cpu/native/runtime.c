/* How one launch runs: its loop nests one after the other, each split over a small pool of threads when that pays,
   and the status bits and floating-point flags of all of them collected.

   Compiled once by the user's C compiler, with `-pthread -Wl,-z,nodelete`: threads stay in this code until the process
   ends, so it must never be unmapped. `-DPF_PORTABLE` selects, on any machine, the code for those without a futex or
   MXCSR. */
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__) && !defined(PF_PORTABLE)
#define PF_USES_FUTEX 1
#include <sys/syscall.h>
#endif
#if defined(__x86_64__) && !defined(PF_PORTABLE)
#define PF_USES_MXCSR 1
#else
#include <fenv.h>
#endif

/* ---- What callers see ---- */

enum { PF_DIVIDE = 1, PF_OVERFLOW = 2, PF_UNDERFLOW = 4, PF_INVALID = 8, PF_REPLAY = 16, PF_CAREFUL = 32 };

typedef unsigned (*pf_nest_function)(char *const *operands, const long long *geometry, const char *scalars,
                                     long long outer_begin, long long outer_end,
                                     long long inner_begin, long long inner_end);

typedef struct {
    pf_nest_function run;
    const long long *geometry; /* opaque: passed through */
    long long outer;           /* rows: product of all extents but the innermost */
    long long inner;           /* cells of a row: extent of the innermost dimension */
    long long depth;           /* elements behind each cell: 1, or the number that is reduced */
    long long element_cost;    /* estimated cost of one element, in picoseconds */
} pf_nest_call;

typedef struct {
    long long operand_count, nest_count, thread_limit; /* thread_limit counts the caller */
    long long data_offset; /* byte offset of the data pointer in an array object; negative: addresses of data */
    const pf_nest_call *nests;
} pf_launch;

unsigned pyfuse_launch(const pf_launch *launch, const char *packed);
int pyfuse_thread_count(void);
unsigned pyfuse_runtime_version(void);

/* ---- Numbers, with their reasons ---- */

enum { RUNTIME_VERSION = 4 };
enum { LOCAL_OPERANDS = 64 };   /* more than this and the addresses go to the heap */
enum { MOST_WORKERS = 255 };    /* a wrong setting must not start thousands; also the field width in pool.state */
enum { CHUNKS_PER_THREAD = 4 }; /* a thread that loses its core holds up the others for a quarter of its share */
enum { INNER_GRAIN = 64 };      /* elements: chunks in one row meet between cache lines, and vector bodies stay whole */
enum { WORKER_STACK_BYTES = 2 << 20 };
enum { SMALLEST_CHUNK = 2048 }; /* elements: the guard where element_cost is guessed too high */

/* Handing work to a spinning thread costs 0.5 us, and 2 threads pay from about 8 us of work that is estimated for data
   beyond the second-level cache, and is half as long in it: a*b+c of 30,000 float64 takes 5.5 us for 10.2, of 100,000
   17.7 for 33.2. To a sleeping one it costs 10 to 20 us of the caller's time, and the help comes 30 to 60 us late: a*b+c
   of 100,000 elements took 97 us on two threads and 72 on one, on two cores that NumPy had used in between;
   Mandelbrot's set of 10,000 points, estimated at 97 us, 84 and 112. So work in between wakes threads only for what
   comes after it, when it has come several times in a row. */
static const long long SERIAL_BELOW_PICOSECONDS = 8000000;
static const long long SERIAL_BELOW_WHEN_ASLEEP_PICOSECONDS = 80000000;
static const long long SMALLEST_CHUNK_PICOSECONDS = 4000000; /* taking a chunk costs up to 0.2 us under contention */
/* Threads that are woken and do not come (the system has put them on the caller's core) are woken after twice as many. */
enum { CALLS_IN_A_ROW = 4, MOST_CALLS_IN_A_ROW = 64 };
static const long long ROW_NANOSECONDS = 150000; /* from end to end of such work: 80 and a thread's patience */
static const long long SPIN_NANOSECONDS = 50000; /* about what waking a sleeping thread takes: longer cannot win */
/* A worker that came too late for a job watches until that is over. If it slept meanwhile, it would be too late for the
   next one too, and so on: sums of 1000 columns, two chunks, took 120 us in some runs and 57 in others. */
enum { MOST_TURNS = 10 };

/* ---- Floating-point environment of one thread ---- */

#ifdef PF_USES_MXCSR
/* MXCSR only: the kernels use no x87, and fetestexcept reads both (24 ns for 11). */
typedef unsigned pf_float_environment;
enum { MXCSR_REPORTED = 0x1d /* invalid, divide, overflow, underflow */, MXCSR_MASKS = 0x1f80 };

static unsigned status_of_mxcsr(unsigned mxcsr)
{
    return (mxcsr >> 2 & (PF_DIVIDE | PF_OVERFLOW | PF_UNDERFLOW)) | (mxcsr & 1) * PF_INVALID;
}
/* Lowers the flags that are reported and masks traps. The inexact flag is left as it is: it is nearly always up, and
   writing MXCSR costs twice what reading does. */
static void begin_float_region(pf_float_environment *saved)
{
    *saved = __builtin_ia32_stmxcsr();
    unsigned working = (*saved | MXCSR_MASKS) & ~(unsigned)MXCSR_REPORTED;
    if (working != *saved) __builtin_ia32_ldmxcsr(working);
}
static unsigned end_float_region(const pf_float_environment *saved)
{
    unsigned mxcsr = __builtin_ia32_stmxcsr();
    if (mxcsr != *saved) __builtin_ia32_ldmxcsr(*saved);
    return status_of_mxcsr(mxcsr);
}
static void read_float_environment(pf_float_environment *environment) { *environment = __builtin_ia32_stmxcsr(); }
static void adopt_float_environment(const pf_float_environment *environment) { __builtin_ia32_ldmxcsr(*environment); }
static unsigned float_status(void) { return status_of_mxcsr(__builtin_ia32_stmxcsr()); }
#else
typedef fenv_t pf_float_environment;

static unsigned float_status(void)
{
    int raised = fetestexcept(FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INVALID);
    return (raised & FE_DIVBYZERO ? PF_DIVIDE : 0u) | (raised & FE_OVERFLOW ? PF_OVERFLOW : 0u)
           | (raised & FE_UNDERFLOW ? PF_UNDERFLOW : 0u) | (raised & FE_INVALID ? PF_INVALID : 0u);
}
static void begin_float_region(pf_float_environment *saved) { feholdexcept(saved); }
static unsigned end_float_region(const pf_float_environment *saved)
{
    unsigned status = float_status();
    fesetenv(saved);
    return status;
}
static void read_float_environment(pf_float_environment *environment) { fegetenv(environment); }
static void adopt_float_environment(const pf_float_environment *environment) { fesetenv(environment); }
#endif

/* ---- How a nest is split ---- */

enum { TAKEN_BITS = 32, MOST_CHUNKS = 1 << 30 }; /* counts of chunks are halves of one word: see run_chunks */

/* Chunk number c covers rows_per_chunk rows from (c / chunks_across) * rows_per_chunk on, and of each row
   columns_per_chunk elements from (c % chunks_across) * columns_per_chunk on. */
typedef struct {
    long long rows_per_chunk, columns_per_chunk, chunks_across, chunk_count;
} pf_split;

static long long at_most(long long limit, long long value) { return value < limit ? value : limit; }
static long long at_least(long long limit, long long value) { return value > limit ? value : limit; }
static long long divide_up(long long value, long long divisor) { return value / divisor + (value % divisor != 0); }

/* Picoseconds on one core; 0 where nothing says. */
static long long cost_of(const pf_nest_call *nest)
{
    long long cells, cell_cost, cost;
    if (nest->element_cost <= 0 || nest->depth <= 0) return 0;
    if (__builtin_mul_overflow(nest->outer, nest->inner, &cells)) return 0; /* nothing that fits in memory */
    if (__builtin_mul_overflow(nest->depth, nest->element_cost, &cell_cost)) return 0;
    return __builtin_mul_overflow(cells, cell_cost, &cost) ? LLONG_MAX : cost;
}

/* Of a nest that has a cost. False where it is one chunk. */
static int split_up(const pf_nest_call *nest, long long threads, pf_split *split)
{
    const long long cells = nest->outer * nest->inner, cell_cost = nest->depth * nest->element_cost;
    long long smallest = at_least(divide_up(SMALLEST_CHUNK, nest->depth), divide_up(SMALLEST_CHUNK_PICOSECONDS, cell_cost));
    long long chunk = at_least(smallest, cells / (threads * CHUNKS_PER_THREAD));
    if (nest->inner <= chunk) {
        split->rows_per_chunk = at_least(chunk / nest->inner, divide_up(smallest, nest->inner));
        split->columns_per_chunk = nest->inner;
    } else {
        split->rows_per_chunk = 1;
        /* Each element behind a cell lies in another row of memory: long pieces of rows are fetched well. Columns of 3162 x
           3162 float32 are summed in 0.75 to 0.9 ms by a piece for each of two threads, 1.2 by two or four for each. */
        if (nest->depth > 1) chunk = at_least(chunk, nest->inner / threads);
        split->columns_per_chunk = divide_up(divide_up(nest->inner, nest->inner / chunk), INNER_GRAIN) * INNER_GRAIN;
    }
    split->chunks_across = divide_up(nest->inner, split->columns_per_chunk);
    split->chunk_count = divide_up(nest->outer, split->rows_per_chunk) * split->chunks_across;
    return split->chunk_count > 1 && split->chunk_count <= MOST_CHUNKS;
}

/* ---- The pool ----

   One launch at a time owns the pool (`busy`); one that finds it taken runs serially in its own thread. The owner
   writes `job`, offers seats in `state` and moves `signal`. A worker takes a seat, runs chunks, and gets up. Whoever
   finds no chunk left withdraws the seats that nobody took: the owner waits only for workers that did sit down, so one
   that wakes up late costs nothing. `job` is written only while nobody sits. */

enum { SEATED_MASK = 0xffff, SEAT = 0x10000, SEATS_MASK = 0x7fff0000 };
static const unsigned OWNER_SLEEPS = 0x80000000u;

static struct {
    const pf_nest_call *nest;
    char *const *operands;
    const char *scalars;
    pf_split split;
    pf_float_environment environment;
} job;

/* What different threads write often lies 128 bytes apart: cache lines are fetched in pairs. */
static struct {
    _Alignas(128) unsigned busy;      /* 1: a launch owns the pool */
    int cpu_count;                    /* read when threads are started */
    int handles_fork, cannot_grow;    /* flags, touched by the owner only */
    _Alignas(128) unsigned signal;    /* moves with each job: what idle workers watch and sleep on */
    int callers_cpu;                  /* where the last job came from */
    _Alignas(128) unsigned state;     /* seats on offer, workers seated, OWNER_SLEEPS */
    unsigned status;                  /* collected from workers */
    _Alignas(128) unsigned long long taken; /* chunks: by the owner from the first one on, and by workers from the last */
    _Alignas(128) unsigned sleeping;  /* workers that need a wake-up call */
    int started;
} pool;

/* Of nests that ran alone and would have been shared. A guess at what comes next: callers do not wait for each other. */
static struct {
    long long last; /* when one ended: nanoseconds */
    int count, wanted;
} row;

#ifdef PF_USES_FUTEX
/* Written out: the kernel's own header is not on every machine that has a compiler. */
enum { FUTEX_WAIT_PRIVATE_OPERATION = 128, FUTEX_WAKE_PRIVATE_OPERATION = 129 };

/* May return early. */
static void sleep_while_equal(unsigned *word, unsigned value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE_OPERATION, value, NULL, NULL, 0);
}
static void wake_sleepers(unsigned *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE_OPERATION, count, NULL, NULL, 0);
}
static void forget_sleepers(void) {}
#else
static pthread_mutex_t sleep_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t sleep_condition = PTHREAD_COND_INITIALIZER;

static void sleep_while_equal(unsigned *word, unsigned value)
{
    pthread_mutex_lock(&sleep_mutex);
    while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == value) pthread_cond_wait(&sleep_condition, &sleep_mutex);
    pthread_mutex_unlock(&sleep_mutex);
}
static void wake_sleepers(unsigned *word, int count)
{
    (void)word, (void)count; /* all share one condition: each looks at its own word */
    pthread_mutex_lock(&sleep_mutex);
    pthread_cond_broadcast(&sleep_condition);
    pthread_mutex_unlock(&sleep_mutex);
}
static void forget_sleepers(void)
{
    pthread_mutex_init(&sleep_mutex, NULL); /* a thread that is not in this process may hold it */
    pthread_cond_init(&sleep_condition, NULL);
}
#endif

static long long now_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); /* `yield` does nothing on most cores */
#endif
}

static int current_cpu(void)
{
#ifdef __linux__
    return sched_getcpu();
#else
    return -1;
#endif
}

/* A worker may be woken on the core of the caller, which it has thereby stopped: spinning there made an empty launch last
   57 us instead of 10. */
static int stands_in_callers_way(void)
{
    int cpu = current_cpu();
    return cpu >= 0 && cpu == __atomic_load_n(&pool.callers_cpu, __ATOMIC_RELAXED);
}

/* Has the system move this thread to another of its cores; false where there is none. On a virtual machine with two, whose
   idle core counts as taken away by the host, most workers were woken on the caller's and none came in time. */
static int step_aside(void)
{
#ifdef __linux__
    cpu_set_t allowed, others;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
    others = allowed;
    CPU_CLR((size_t)__atomic_load_n(&pool.callers_cpu, __ATOMIC_RELAXED), &others);
    if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return 0;
    sched_setaffinity(0, sizeof allowed, &allowed); /* as it was: this thread stays where it is now */
    return 1;
#else
    return 0;
#endif
}

/* True when the word has changed, false when the time is up. */
static int spin_while_equal(const unsigned *word, unsigned value, long long deadline)
{
    enum { LOOKS_PER_CLOCK_READ = 32 };
    do {
        for (int look = 0; look < LOOKS_PER_CLOCK_READ; look++) {
            if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != value) return 1;
            pause_briefly();
        }
    } while (now_nanoseconds() < deadline);
    return 0;
}

/* Each thread keeps to its end, so that what it has in its caches is what it works on at the next call: a*b+c of 100,000
   float64, again and again, 17.5 us for 21. Counts of both ends are halves of one word; together they are no more than
   all, but for one of each thread that finds nothing left. */
static unsigned run_chunks(int is_owner)
{
    const pf_nest_call *nest = job.nest;
    const pf_split *split = &job.split;
    const unsigned long long one = is_owner ? 1 : 1ull << TAKEN_BITS;
    unsigned status = 0;
    for (;;) {
        const unsigned long long taken = __atomic_fetch_add(&pool.taken, one, __ATOMIC_RELAXED);
        const long long first = (long long)(taken & ((1ull << TAKEN_BITS) - 1)), last = (long long)(taken >> TAKEN_BITS);
        if (first + last >= split->chunk_count) return status;
        const long long chunk = is_owner ? first : split->chunk_count - 1 - last;
        long long row = chunk / split->chunks_across * split->rows_per_chunk;
        long long column = chunk % split->chunks_across * split->columns_per_chunk;
        status |= nest->run(job.operands, nest->geometry, job.scalars,
                            row, at_most(nest->outer, row + split->rows_per_chunk),
                            column, at_most(nest->inner, column + split->columns_per_chunk));
    }
}

static int take_seat(void)
{
    unsigned state = __atomic_load_n(&pool.state, __ATOMIC_RELAXED);
    while (state & SEATS_MASK)
        if (__atomic_compare_exchange_n(&pool.state, &state, state - SEAT + 1, 1, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return 1;
    return 0;
}

static void withdraw_seats(void) { __atomic_fetch_and(&pool.state, ~(unsigned)SEATS_MASK, __ATOMIC_RELAXED); }

static void work_while_seated(void)
{
    adopt_float_environment(&job.environment);
    unsigned status = run_chunks(0);
    status |= float_status();
    if (status) __atomic_fetch_or(&pool.status, status, __ATOMIC_RELAXED);
    withdraw_seats(); /* so that this worker does not sit down at the same job again */
    unsigned before = __atomic_fetch_sub(&pool.state, 1, __ATOMIC_RELEASE);
    if ((before & OWNER_SLEEPS) && (before & SEATED_MASK) == 1) wake_sleepers(&pool.state, 1);
}

static void *worker_main(void *may_spin)
{
#ifdef __linux__
    pthread_setname_np(pthread_self(), "pyfuse");
#endif
    long long spin_until = now_nanoseconds() + SPIN_NANOSECONDS;
    int turns = 0; /* of patience with a job of which no chunk is left */
    for (;;) {
        unsigned seen = __atomic_load_n(&pool.signal, __ATOMIC_SEQ_CST); /* before looking for a seat: misses no job */
        const int is_aside = !stands_in_callers_way() || step_aside();
        if (take_seat()) {
            work_while_seated();
            spin_until = now_nanoseconds() + SPIN_NANOSECONDS;
            turns = 0;
            continue;
        }
        if (may_spin && is_aside) {
            if (spin_while_equal(&pool.signal, seen, spin_until)) continue;
            if (__atomic_load_n(&pool.busy, __ATOMIC_RELAXED) && ++turns < MOST_TURNS) {
                spin_until = now_nanoseconds() + SPIN_NANOSECONDS;
                continue;
            }
        }
        turns = 0;
        __atomic_fetch_add(&pool.sleeping, 1, __ATOMIC_SEQ_CST);
        sleep_while_equal(&pool.signal, seen);
        __atomic_fetch_sub(&pool.sleeping, 1, __ATOMIC_SEQ_CST);
        spin_until = now_nanoseconds() + SPIN_NANOSECONDS; /* even if too late for that job: another may follow */
    }
    return NULL;
}

static int available_cpus(void)
{
#ifdef __linux__
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
#endif
    return (int)at_least(1, sysconf(_SC_NPROCESSORS_ONLN));
}

/* In a forked child only the forking thread exists: the workers, and any launch of another thread, are gone. */
static void forget_workers(void)
{
    pool.busy = pool.state = pool.status = pool.sleeping = 0;
    pool.started = pool.cannot_grow = 0;
    forget_sleepers();
}

/* Called by the owner. Returns how many workers there are, `wanted` at most. */
static int start_workers(int wanted)
{
    if (pool.started >= wanted || pool.cannot_grow) return (int)at_most(wanted, pool.started);
    if (!pool.handles_fork && pthread_atfork(NULL, NULL, forget_workers) != 0) return 0;
    pool.handles_fork = 1;
    pool.cpu_count = available_cpus();

    /* Workers inherit the signal mask. Signals meant for the process go to the user's threads; faults stay unblocked,
       because they belong to the thread that caused them and a handler may want to report them. */
    sigset_t workers_mask, callers_mask;
    sigfillset(&workers_mask);
    sigdelset(&workers_mask, SIGSEGV);
    sigdelset(&workers_mask, SIGBUS);
    sigdelset(&workers_mask, SIGILL);
    sigdelset(&workers_mask, SIGFPE);
    pthread_sigmask(SIG_SETMASK, &workers_mask, &callers_mask);
    pthread_attr_t attributes; /* some C libraries give threads 128 KiB; kernels keep buffers on the stack */
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, WORKER_STACK_BYTES);
    int started = pool.started;
    for (; started < wanted; started++) {
        pthread_t thread;
        int may_spin = started + 2 <= pool.cpu_count; /* the caller needs a core too; more spinners take it away */
        if (pthread_create(&thread, &attributes, worker_main, may_spin ? &pool : NULL) != 0) {
            pool.cannot_grow = 1; /* not again with every launch: a failed attempt is slow */
            break;
        }
        pthread_detach(thread);
    }
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &callers_mask, NULL);
    __atomic_store_n(&pool.started, started, __ATOMIC_RELAXED);
    return started;
}

static int is_a_worker_awake(void)
{
    return __atomic_load_n(&pool.started, __ATOMIC_RELAXED) > (int)__atomic_load_n(&pool.sleeping, __ATOMIC_RELAXED);
}

static int take_pool(void)
{
    return !__atomic_load_n(&pool.busy, __ATOMIC_RELAXED) && !__atomic_exchange_n(&pool.busy, 1, __ATOMIC_ACQUIRE);
}

static void give_pool_back(void) { __atomic_store_n(&pool.busy, 0, __ATOMIC_RELEASE); }

/* Called by the owner. */
static void signal_workers(int wanted)
{
    __atomic_store_n(&pool.callers_cpu, current_cpu(), __ATOMIC_RELAXED);
    __atomic_fetch_add(&pool.signal, 1, __ATOMIC_SEQ_CST);
    /* A worker counted as awake sees the new signal before it falls asleep: wake only as many as are missing. */
    int awake = pool.started - (int)__atomic_load_n(&pool.sleeping, __ATOMIC_SEQ_CST);
    if (awake < wanted) wake_sleepers(&pool.signal, wanted - (int)at_least(0, awake));
}

static void offer_seats(int seats)
{
    __atomic_store_n(&pool.state, (unsigned)seats * SEAT, __ATOMIC_RELEASE);
    signal_workers(seats);
}

static void wait_until_nobody_sits(void)
{
    unsigned state = __atomic_load_n(&pool.state, __ATOMIC_ACQUIRE);
    if (!(state & SEATED_MASK)) return;
    long long deadline = now_nanoseconds() + (pool.cpu_count > 1 ? SPIN_NANOSECONDS : 0);
    while (state & SEATED_MASK) {
        if (!spin_while_equal(&pool.state, state, deadline)) break;
        state = __atomic_load_n(&pool.state, __ATOMIC_ACQUIRE);
    }
    if (!(state & SEATED_MASK)) return;
    state = __atomic_or_fetch(&pool.state, OWNER_SLEEPS, __ATOMIC_ACQUIRE);
    while (state & SEATED_MASK) {
        sleep_while_equal(&pool.state, state);
        state = __atomic_load_n(&pool.state, __ATOMIC_ACQUIRE);
    }
}

/* Called by the owner, with at least one worker. */
static unsigned run_with_workers(const pf_nest_call *nest, char *const *operands, const char *scalars,
                                 const pf_split *split, int workers)
{
    job.nest = nest;
    job.operands = operands;
    job.scalars = scalars;
    job.split = *split;
    read_float_environment(&job.environment); /* may hold flags of earlier nests: they are reported anyway */
    pool.status = 0;
    __atomic_store_n(&pool.taken, 0, __ATOMIC_RELAXED);
    offer_seats(workers);
    unsigned status = run_chunks(1);
    withdraw_seats();
    wait_until_nobody_sits();
    return status | __atomic_load_n(&pool.status, __ATOMIC_RELAXED);
}

/* ---- The launch ---- */

/* Called where a nest has run alone that threads would have shared, had they been awake. After several such in a row they
   are woken, and watch for the next for as long as they watch after any job. */
static void wake_for_the_next(const pf_nest_call *nest, long long threads)
{
    const long long now = now_nanoseconds();
    const long long before = __atomic_exchange_n(&row.last, now, __ATOMIC_RELAXED);
    const int count = now - before < ROW_NANOSECONDS ? __atomic_load_n(&row.count, __ATOMIC_RELAXED) + 1 : 0;
    __atomic_store_n(&row.count, count, __ATOMIC_RELAXED);
    const int wanted = (int)at_least(CALLS_IN_A_ROW, __atomic_load_n(&row.wanted, __ATOMIC_RELAXED));
    pf_split split;
    if (count < wanted || !split_up(nest, threads, &split) || !take_pool()) return;
    __atomic_store_n(&row.count, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&row.wanted, (int)at_most(MOST_CALLS_IN_A_ROW, 2 * wanted), __ATOMIC_RELAXED);
    signal_workers(start_workers((int)at_most(threads, split.chunk_count) - 1));
    give_pool_back();
}

static unsigned run_nests(const pf_launch *launch, char *const *operands, const char *scalars)
{
    const long long threads = at_most(MOST_WORKERS + 1, launch->thread_limit);
    unsigned status = 0;
    int owns_pool = 0;
    for (long long number = 0; number < launch->nest_count; number++) {
        const pf_nest_call *nest = &launch->nests[number];
        pf_split split;
        int workers = 0;
        if (nest->outer <= 0 || nest->inner <= 0) continue;
        const long long cost = threads < 2 ? 0 : cost_of(nest);
        const int pays = cost >= SERIAL_BELOW_PICOSECONDS;
        const int pays_now = pays && (cost >= SERIAL_BELOW_WHEN_ASLEEP_PICOSECONDS || is_a_worker_awake());
        if (pays_now && split_up(nest, threads, &split) && (owns_pool || (owns_pool = take_pool())))
            workers = start_workers((int)at_most(threads, split.chunk_count) - 1);
        if (workers > 0 && cost < SERIAL_BELOW_WHEN_ASLEEP_PICOSECONDS) __atomic_store_n(&row.wanted, 0, __ATOMIC_RELAXED);
        status |= workers ? run_with_workers(nest, operands, scalars, &split, workers)
                          : nest->run(operands, nest->geometry, scalars, 0, nest->outer, 0, nest->inner);
        if (pays && !pays_now && !owns_pool) wake_for_the_next(nest, threads);
    }
    if (owns_pool) give_pool_back();
    return status;
}

static void read_operands(const pf_launch *launch, const char *packed, char **operands)
{
    for (long long number = 0; number < launch->operand_count; number++) {
        unsigned long long address;
        __builtin_memcpy(&address, packed + 8 * number, sizeof address);
        operands[number] = (char *)(size_t)address;
        if (launch->data_offset >= 0)
            __builtin_memcpy(&operands[number], operands[number] + launch->data_offset, sizeof operands[number]);
    }
}

/* packed: operand_count 8-byte addresses (of array objects, or of data), then the scalars. */
unsigned pyfuse_launch(const pf_launch *launch, const char *packed)
{
    char *local[LOCAL_OPERANDS], **heap = NULL;
    const void *operands = packed; /* as they are, where they are addresses of data that a processor reads as such */
    long long count = launch->operand_count;
    if (launch->data_offset >= 0 || sizeof(char *) != 8 || (size_t)packed % sizeof(char *) != 0) {
        if (count > LOCAL_OPERANDS && (heap = malloc((size_t)count * sizeof *heap)) == NULL) return PF_REPLAY;
        read_operands(launch, packed, heap != NULL ? heap : local);
        operands = heap != NULL ? heap : local;
    }

    pf_float_environment saved;
    begin_float_region(&saved);
    unsigned status = run_nests(launch, (char *const *)operands, packed + 8 * count);
    status |= end_float_region(&saved);

    if (heap != NULL) free(heap);
    return status & ~(unsigned)PF_CAREFUL; /* the nest has dealt with that itself */
}

/* Threads started so far, the caller not counted. */
int pyfuse_thread_count(void) { return __atomic_load_n(&pool.started, __ATOMIC_RELAXED); }

unsigned pyfuse_runtime_version(void) { return RUNTIME_VERSION; }
