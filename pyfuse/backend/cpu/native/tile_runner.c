/* A loop nest run over tiles that stay in the first-level cache: each operation is NumPy's own inner loop, called on a
   thousand elements and no more, so that what one leaves the next finds in the cache.

   backend/tiles/ writes what is to be done (`description` below), from the same loop plan as the C text of a kernel.
   To the rest of pyfuse a `TileLaunch` is a launch like any other: it begins with the structure that the runtime takes,
   and its `run` has the signature of `pyfuse_launch`. Values are exactly NumPy's because its loops compute them; of the
   loops here, which move bytes and choose between them, nothing else can come out.

   Inner loops are those of the public `PyUFuncObject` (ufuncobject.h). None of them needs the GIL; one that may set an
   exception all the same is followed by a look. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <fenv.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

#include "tile_casts.h"
#include "tile_runner.h"

enum { MOST_OPERANDS_OF_A_STEP = 8, MOST_DIMS = 40, CACHE_LINE = 64, SCALAR_BYTES = 16 };
enum { DIVIDE = 1, OVERFLOWN = 2, UNDERFLOWN = 4, INVALID = 8, REPLAY = 16 }; /* as in runtime.c */

/* As in runtime.c; `nests` leads to what is below. */
typedef struct {
    long long operand_count, nest_count, thread_limit;
    long long data_offset;
    const void *nests;
} pf_launch;

/* ---- What is to be done ---- */

/* Where a tile of an operand lies: of an array that is read or written. */
typedef struct {
    npy_intp operand, value, start, size; /* bytes: of the first element, of each */
    npy_intp *strides;                    /* by outer dimension, the one that is cut, then the inner ones */
} place;

typedef enum { IN_SCALARS, IN_CONSTANTS, IN_SCRATCH } fixed_kind;

typedef struct {
    npy_intp value, kind, offset;
} fixed;

typedef enum { LOOP, CAST, MOVE, CHOOSE, REPLAY_IF } step_kind;

typedef struct {
    int kind, is_single, in_count, out_count;
    npy_intp values[MOST_OPERANDS_OF_A_STEP], strides[MOST_OPERANDS_OF_A_STEP]; /* operands, then results */
    npy_intp size, offset; /* of MOVE and CHOOSE: bytes of an element, and where in it to begin */
    PyUFuncGenericFunction loop;
    void *data;
    tile_cast cast;
} step;

typedef struct {
    npy_intp value_count, outer_count, inner_count, step_count;
    npy_intp pointed_count, gathered_count, scattered_count, fixed_count;
    npy_intp extent, rows, row_size; /* of the dimension that is cut, in tiles of so many rows of so many elements */
    npy_intp *outer, *inner;         /* extents */
    /* Steps from `repeated` on are done for each index of a loop, those from `between` on after each but the last. */
    npy_intp repeated, between, loop_start, loop_stop, loop_step, loop_index; /* values, but loop_step; -1: none */
    place *pointed, *gathered, *scattered;
    fixed *fixed;
    step *steps;
} nest;

typedef struct {
    PyObject_HEAD
    pf_launch launch;
    size_t scratch; /* bytes */
    int may_raise, is_long;
    char *constants;
    PyObject *kept; /* the objects that own the loops, and the bytes of the constants */
    void *memory;   /* all arrays of the structures above */
    nest *nests;
} TileLaunch;

/* ---- The floating-point flags of this thread ---- */

/* All of them, as NumPy reads them: feraiseexcept of glibc raises overflow and underflow in the x87 unit. */
static unsigned float_status(void)
{
    int up = fetestexcept(FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INVALID);
    if (up == 0) return 0;
    return (up & FE_DIVBYZERO ? DIVIDE : 0u) | (up & FE_OVERFLOW ? OVERFLOWN : 0u) | (up & FE_UNDERFLOW ? UNDERFLOWN : 0u)
           | (up & FE_INVALID ? INVALID : 0u);
}

/* ---- Bytes from place to place ---- */

#define COPY(SIZE)                                                                                                     \
    case SIZE:                                                                                                         \
        for (npy_intp i = 0; i < count; i++) memcpy(to + i * to_stride, from + i * from_stride, SIZE);                 \
        return;

static void copy_elements(char *to, npy_intp to_stride, const char *from, npy_intp from_stride, npy_intp count,
                          npy_intp size)
{
    if (to_stride == size && from_stride == size) {
        memcpy(to, from, (size_t)(count * size));
        return;
    }
    switch (size) {
        COPY(1)
        COPY(2)
        COPY(4)
        COPY(8)
        COPY(16)
    }
}

/* Elements from an array to where they lie one after the other; returns the end of those. */
static char *gather(char *dense, const char *from, const npy_intp *extents, const npy_intp *strides, npy_intp ndim,
                    npy_intp size)
{
    if (ndim == 1) {
        copy_elements(dense, size, from, *strides, *extents, size);
        return dense + *extents * size;
    }
    for (npy_intp i = 0; i < *extents; i++)
        dense = gather(dense, from + i * *strides, extents + 1, strides + 1, ndim - 1, size);
    return dense;
}

/* The other way round; elements lie `step` bytes apart. */
static const char *scatter(const char *dense, npy_intp step, char *to, const npy_intp *extents, const npy_intp *strides,
                           npy_intp ndim, npy_intp size)
{
    if (ndim == 1) {
        copy_elements(to, *strides, dense, step, *extents, size);
        return dense + *extents * step;
    }
    for (npy_intp i = 0; i < *extents; i++)
        dense = scatter(dense, step, to + i * *strides, extents + 1, strides + 1, ndim - 1, size);
    return dense;
}

typedef struct {
    uint64_t low, high;
} pair_of_uint64_t;

/* `other` becomes `one` where `choice` says so, by arithmetic: compilers make a branch of ?:, which guesses wrong at every
   other element of data without order (3 ns). */
#define KEEP(TYPE)                                                                                                     \
    static inline void keep_##TYPE(char choice, const TYPE *one, TYPE *other)                                          \
    {                                                                                                                  \
        *other ^= (TYPE)((*one ^ *other) & (TYPE)(0 - (TYPE)(choice != 0)));                                           \
    }
KEEP(uint8_t)
KEEP(uint16_t)
KEEP(uint32_t)
KEEP(uint64_t)
static inline void keep_pair_of_uint64_t(char choice, const pair_of_uint64_t *one, pair_of_uint64_t *other)
{
    keep_uint64_t(choice, &one->low, &other->low);
    keep_uint64_t(choice, &one->high, &other->high);
}

#define CHOOSE_IN(TYPE, CHOICE_STRIDE, YES_STRIDE, NO_STRIDE)                                                          \
    for (npy_intp i = 0; i < count; i++) {                                                                             \
        TYPE one, other;                                                                                               \
        memcpy(&one, yes + i * (YES_STRIDE), sizeof one);                                                              \
        memcpy(&other, no + i * (NO_STRIDE), sizeof other);                                                            \
        keep_##TYPE(choice[i * (CHOICE_STRIDE)], &one, &other);                                                        \
        memcpy(to + i * (npy_intp)sizeof one, &other, sizeof one);                                                     \
    }

/* The usual strides as constants, so that the compiler finds vectors. */
#define DEFINE_CHOOSE(TYPE)                                                                                            \
    static void choose_##TYPE(const char *choice, const char *yes, const char *no, char *restrict to,                  \
                              const npy_intp *strides, npy_intp count)                                                 \
    {                                                                                                                  \
        const npy_intp size = sizeof(TYPE);                                                                            \
        if (strides[0] == 1 && strides[1] == size && strides[2] == size)                                               \
            CHOOSE_IN(TYPE, 1, (npy_intp)sizeof(TYPE), (npy_intp)sizeof(TYPE))                                         \
        else if (strides[0] == 1 && strides[1] == size && strides[2] == 0)                                             \
            CHOOSE_IN(TYPE, 1, (npy_intp)sizeof(TYPE), 0)                                                              \
        else if (strides[0] == 1 && strides[1] == 0 && strides[2] == size)                                             \
            CHOOSE_IN(TYPE, 1, 0, (npy_intp)sizeof(TYPE))                                                              \
        else                                                                                                           \
            CHOOSE_IN(TYPE, strides[0], strides[1], strides[2])                                                        \
    }

DEFINE_CHOOSE(uint8_t)
DEFINE_CHOOSE(uint16_t)
DEFINE_CHOOSE(uint32_t)
DEFINE_CHOOSE(uint64_t)
DEFINE_CHOOSE(pair_of_uint64_t)

static void choose(char *const *at, const npy_intp *strides, npy_intp count, npy_intp size)
{
    switch (size) {
    case 1: choose_uint8_t(at[0], at[1], at[2], at[3], strides, count); return;
    case 2: choose_uint16_t(at[0], at[1], at[2], at[3], strides, count); return;
    case 4: choose_uint32_t(at[0], at[1], at[2], at[3], strides, count); return;
    case 8: choose_uint64_t(at[0], at[1], at[2], at[3], strides, count); return;
    case 16: choose_pair_of_uint64_t(at[0], at[1], at[2], at[3], strides, count); return;
    }
}

static int is_any_true(const char *values, npy_intp stride, npy_intp count)
{
    for (npy_intp i = 0; i < count; i++)
        if (values[i * stride]) return 1;
    return 0;
}

/* ---- One tile ---- */

static unsigned run_step(const step *one, char *const *values, npy_intp count)
{
    char *at[MOST_OPERANDS_OF_A_STEP];
    npy_intp sizes = one->is_single ? 1 : count;
    for (int number = 0; number < one->in_count + one->out_count; number++) at[number] = values[one->values[number]];
    switch (one->kind) {
    case LOOP: one->loop(at, &sizes, one->strides, one->data); return float_status();
    case CAST: return (one->cast(at[0], one->strides[0], at[1], sizes) ? INVALID : 0) | float_status();
    case MOVE: copy_elements(at[1], one->size, at[0] + one->offset, one->strides[0], sizes, one->size); return 0;
    case CHOOSE: choose(at, one->strides, sizes, one->size); return 0;
    case REPLAY_IF: return is_any_true(at[0], one->strides[0], sizes) ? REPLAY : 0;
    }
    return REPLAY;
}

static unsigned run_steps(const nest *one, npy_intp first, npy_intp end, char *const *values, npy_intp count)
{
    unsigned status = 0;
    for (npy_intp number = first; number < end; number++) status |= run_step(&one->steps[number], values, count);
    return status;
}

static unsigned run_loop(const nest *one, char *const *values, npy_intp count)
{
    long long index, stop, step = one->loop_step;
    unsigned status = 0;
    memcpy(&index, values[one->loop_start], sizeof index);
    memcpy(&stop, values[one->loop_stop], sizeof stop);
    while ((step > 0 ? index < stop : index > stop) && !(status & REPLAY)) {
        if (one->loop_index >= 0) memcpy(values[one->loop_index], &index, sizeof index);
        status |= run_steps(one, one->repeated, one->between, values, count);
        index += step;
        if (step > 0 ? index < stop : index > stop) status |= run_steps(one, one->between, one->step_count, values, count);
    }
    return status;
}

static char *place_now(const place *one, char *const *operands, const npy_intp *index, npy_intp count)
{
    char *now = operands[one->operand] + one->start;
    for (npy_intp dim = 0; dim < count; dim++) now += index[dim] * one->strides[dim];
    return now;
}

/* The tile at `index`, of `rows` rows. */
static unsigned run_tile(const nest *one, char **values, char *const *operands, const npy_intp *index, npy_intp rows)
{
    npy_intp cut = one->outer_count, extents[MOST_DIMS];
    unsigned status = 0;
    extents[0] = rows;
    memcpy(extents + 1, one->inner, (size_t)one->inner_count * sizeof *extents);
    for (npy_intp number = 0; number < one->pointed_count; number++)
        values[one->pointed[number].value] = place_now(&one->pointed[number], operands, index, cut + 1);
    for (npy_intp number = 0; number < one->gathered_count; number++) {
        const place *from = &one->gathered[number];
        gather(values[from->value], place_now(from, operands, index, cut + 1), extents, from->strides + cut,
               one->inner_count + 1, from->size);
    }
    status |= run_steps(one, 0, one->repeated, values, rows * one->row_size);
    if (one->loop_start >= 0) status |= run_loop(one, values, rows * one->row_size);
    for (npy_intp number = 0; number < one->scattered_count; number++) {
        const place *to = &one->scattered[number];
        npy_intp step = to->strides[cut + one->inner_count + 1];
        scatter(values[to->value], step, place_now(to, operands, index, cut + 1), extents, to->strides + cut,
                one->inner_count + 1, to->size);
    }
    return status;
}

static unsigned run_nest(const nest *one, char **values, char *const *operands, const char *scalars,
                         const char *constants, char *scratch)
{
    npy_intp index[MOST_DIMS] = {0};
    unsigned status = 0;
    for (npy_intp number = 0; number < one->fixed_count; number++) {
        const fixed *at = &one->fixed[number];
        const char *base = at->kind == IN_SCALARS ? scalars : at->kind == IN_CONSTANTS ? constants : scratch;
        values[at->value] = (char *)base + at->offset;
    }
    for (npy_intp dim = 0; dim < one->outer_count; dim++)
        if (one->outer[dim] <= 0) return 0;
    if (one->row_size <= 0) return 0;
    for (;;) {
        for (npy_intp first = 0; first < one->extent; first += one->rows) {
            npy_intp left = one->extent - first;
            index[one->outer_count] = first;
            status |= run_tile(one, values, operands, index, left < one->rows ? left : one->rows);
            if (status & REPLAY) return status;
        }
        npy_intp dim = one->outer_count - 1;
        while (dim >= 0 && ++index[dim] == one->outer[dim]) index[dim--] = 0;
        if (dim < 0) return status;
    }
}

/* ---- A launch ---- */

/* packed: addresses of array objects or of data, 8 bytes each, then the scalars. As `pyfuse_launch`. */
static unsigned run(const pf_launch *launch, const char *packed)
{
    const TileLaunch *self = *(const TileLaunch *const *)launch->nests;
    npy_intp values = 0;
    for (long long number = 0; number < launch->nest_count; number++)
        if (self->nests[number].value_count > values) values = self->nests[number].value_count;
    size_t pointers = (size_t)(launch->operand_count + values) * sizeof(char *);
    char *memory = malloc(pointers + self->scratch + CACHE_LINE);
    if (memory == NULL) return REPLAY;
    char **operands = (char **)memory, **at = operands + launch->operand_count;
    char *scratch = (char *)(((size_t)memory + pointers + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    for (long long number = 0; number < launch->operand_count; number++) {
        unsigned long long address;
        memcpy(&address, packed + 8 * number, sizeof address);
        operands[number] = (char *)(size_t)address;
        if (launch->data_offset >= 0) memcpy(&operands[number], operands[number] + launch->data_offset, sizeof(char *));
    }
    fenv_t saved;
    unsigned status = 0;
    feholdexcept(&saved);
    for (long long number = 0; number < launch->nest_count && !(status & REPLAY); number++)
        status |= run_nest(&self->nests[number], at, operands, packed + 8 * launch->operand_count, self->constants, scratch);
    fesetenv(&saved);
    free(memory);
    if (self->may_raise) {
        PyGILState_STATE state = PyGILState_Ensure();
        if (PyErr_Occurred()) {
            PyErr_Clear(); /* the original raises it again */
            status |= REPLAY;
        }
        PyGILState_Release(state);
    }
    return status;
}

/* ---- Reading a description ---- */

/* Whole numbers one after the other, and the memory for what is made of them. */
typedef struct {
    const npy_intp *next, *end;
    char *memory;
    size_t used;
    PyObject *functions;
    int failed;
} reader;

static npy_intp read_number(reader *from)
{
    if (from->next == from->end) return from->failed = 1, 0;
    return *from->next++;
}

/* Memory for so many things; the first reading only finds how much is needed. */
static void *take(reader *from, npy_intp count, size_t size)
{
    if (count < 0 || count > 1 << 20) return from->failed = 1, NULL;
    void *memory = from->memory != NULL ? from->memory + from->used : NULL;
    from->used += ((size_t)count * size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    return memory;
}

static npy_intp *read_numbers(reader *from, npy_intp count)
{
    npy_intp *made = take(from, count, sizeof *made);
    for (npy_intp number = 0; number < count && !from->failed; number++) {
        npy_intp one = read_number(from);
        if (made != NULL) made[number] = one;
    }
    return made;
}

static place *read_places(reader *from, npy_intp count, npy_intp stride_count)
{
    place *made = take(from, count, sizeof *made);
    for (npy_intp number = 0; number < count && !from->failed; number++) {
        place one;
        one.operand = read_number(from);
        one.value = read_number(from);
        one.start = read_number(from);
        one.size = read_number(from);
        one.strides = read_numbers(from, stride_count);
        if (made != NULL) made[number] = one;
    }
    return made;
}

static fixed *read_fixed(reader *from, npy_intp count)
{
    fixed *made = take(from, count, sizeof *made);
    for (npy_intp number = 0; number < count && !from->failed; number++) {
        fixed one;
        one.value = read_number(from);
        one.kind = read_number(from);
        one.offset = read_number(from);
        if (made != NULL) made[number] = one;
    }
    return made;
}

/* The loop of a step: (ufunc, number of its loop), or for a cast the two dtypes, as `find_tile_cast` has them. */
static int find_function(step *one, PyObject *functions, npy_intp number)
{
    if (number < 0 || number >= PyTuple_GET_SIZE(functions)) return -1;
    PyObject *pair = PyTuple_GET_ITEM(functions, number);
    if (!PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2) return -1;
    PyObject *first = PyTuple_GET_ITEM(pair, 0), *second = PyTuple_GET_ITEM(pair, 1);
    if (one->kind == CAST) {
        one->cast = find_tile_cast(PyLong_AsLong(first), PyLong_AsLong(second));
        return one->cast == NULL ? -1 : 0;
    }
    if (strcmp(Py_TYPE(first)->tp_name, "numpy.ufunc") != 0) return -1;
    PyUFuncObject *ufunc = (PyUFuncObject *)first;
    long place = PyLong_AsLong(second);
    if (place < 0 || place >= ufunc->ntypes || ufunc->nargs != one->in_count + one->out_count) return -1;
    one->loop = ufunc->functions[place];
    one->data = ufunc->data[place];
    return one->loop == NULL ? -1 : 0;
}

static step *read_steps(reader *from, npy_intp count)
{
    step *made = take(from, count, sizeof *made);
    for (npy_intp number = 0; number < count && !from->failed; number++) {
        step one = {.kind = (int)read_number(from)};
        npy_intp function = read_number(from);
        one.is_single = (int)read_number(from);
        one.size = read_number(from);
        one.offset = read_number(from);
        one.in_count = (int)read_number(from);
        one.out_count = (int)read_number(from);
        if (one.in_count < 0 || one.out_count < 0 || one.in_count + one.out_count > MOST_OPERANDS_OF_A_STEP) from->failed = 1;
        for (int operand = 0; operand < one.in_count + one.out_count && !from->failed; operand++) {
            one.values[operand] = read_number(from);
            one.strides[operand] = read_number(from);
        }
        if ((one.kind == LOOP || one.kind == CAST) && !from->failed && find_function(&one, from->functions, function) < 0)
            from->failed = 1;
        if (made != NULL) made[number] = one;
    }
    return made;
}

static void read_nest(reader *from, nest *into)
{
    nest one;
    one.value_count = read_number(from);
    one.outer_count = read_number(from);
    one.inner_count = read_number(from);
    if (one.outer_count + one.inner_count + 2 > MOST_DIMS) from->failed = 1;
    one.extent = read_number(from);
    one.rows = read_number(from);
    one.outer = read_numbers(from, one.outer_count);
    one.inner = read_numbers(from, one.inner_count);
    one.row_size = 1;
    for (npy_intp dim = 0; dim < one.inner_count && one.inner != NULL; dim++) one.row_size *= one.inner[dim];
    npy_intp stride_count = one.outer_count + one.inner_count + 1;
    one.pointed = read_places(from, one.pointed_count = read_number(from), stride_count);
    one.gathered = read_places(from, one.gathered_count = read_number(from), stride_count);
    one.scattered = read_places(from, one.scattered_count = read_number(from), stride_count + 1);
    one.fixed = read_fixed(from, one.fixed_count = read_number(from));
    one.steps = read_steps(from, one.step_count = read_number(from));
    one.repeated = read_number(from);
    one.between = read_number(from);
    one.loop_start = read_number(from);
    one.loop_stop = read_number(from);
    one.loop_step = read_number(from);
    one.loop_index = read_number(from);
    if (into != NULL) *into = one;
}

static nest *read_nests(reader *from, npy_intp count)
{
    nest *made = take(from, count, sizeof *made);
    for (npy_intp number = 0; number < count && !from->failed; number++) read_nest(from, made == NULL ? NULL : made + number);
    if (from->next != from->end) from->failed = 1;
    return made;
}

/* ---- The type ---- */

static void tile_dealloc(PyObject *object)
{
    TileLaunch *self = (TileLaunch *)object;
    PyMem_Free(self->memory);
    Py_XDECREF(self->kept);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *tile_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"operand_count", "nest_count", "description", "functions", "constants",
                            "scratch",       "may_raise",  "is_long",     NULL};
    Py_ssize_t operand_count, nest_count, scratch;
    PyObject *description, *functions, *constants;
    int may_raise, is_long;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "$nnSO!Snpp:TileLaunch", names, &operand_count, &nest_count,
                                     &description, &PyTuple_Type, &functions, &constants, &scratch, &may_raise, &is_long))
        return NULL;
    const npy_intp *numbers = (const npy_intp *)PyBytes_AS_STRING(description);
    const npy_intp *end = numbers + PyBytes_GET_SIZE(description) / (Py_ssize_t)sizeof *numbers;
    reader sizes = {.next = numbers, .end = end, .functions = functions};
    read_nests(&sizes, nest_count);
    if (sizes.failed || operand_count < 0 || scratch < 0)
        return PyErr_SetString(PyExc_ValueError, "not a description of loop nests"), NULL;
    TileLaunch *self = (TileLaunch *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->kept = Py_BuildValue("(OO)", functions, constants);
    self->memory = PyMem_Malloc(sizes.used + CACHE_LINE);
    if (self->kept == NULL || self->memory == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    reader from = {.next = numbers, .end = end, .functions = functions, .memory = self->memory};
    self->nests = read_nests(&from, nest_count);
    self->constants = PyBytes_AS_STRING(constants);
    self->scratch = (size_t)scratch;
    self->may_raise = may_raise;
    self->is_long = is_long;
    self->launch = (pf_launch){operand_count, nest_count, 1, offsetof(PyArrayObject_fields, data), NULL};
    self->launch.nests = (const void *)((char *)self->memory + sizes.used);
    *(TileLaunch **)((char *)self->memory + sizes.used) = self;
    return (PyObject *)self;
}

static PyObject *tile_start(PyObject *object, PyObject *packed)
{
    TileLaunch *self = (TileLaunch *)object;
    if (!PyBytes_Check(packed)) return PyErr_SetString(PyExc_TypeError, "start() takes bytes"), NULL;
    unsigned status;
    if (self->is_long) {
        Py_BEGIN_ALLOW_THREADS;
        status = run(&self->launch, PyBytes_AS_STRING(packed));
        Py_END_ALLOW_THREADS;
    } else
        status = run(&self->launch, PyBytes_AS_STRING(packed));
    return PyLong_FromUnsignedLong(status);
}

static PyObject *tile_addresses(PyObject *object, void *unused)
{
    (void)unused;
    return Py_BuildValue("(NN)", PyLong_FromVoidPtr((void *)run), PyLong_FromVoidPtr(&((TileLaunch *)object)->launch));
}

static PyMethodDef tile_methods[] = {
    {"start", tile_start, METH_O, "start(packed): run, and return the status bits; packed as of pyfuse_launch."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef tile_attributes[] = {
    {"addresses", tile_addresses, NULL, "Of the C function behind start, and of its first argument.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject TileLaunch_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "pyfuse.backend.cpu._dispatcher.TileLaunch",
    .tp_basicsize = sizeof(TileLaunch),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "Loop nests to be run over tiles by NumPy's inner loops.",
    .tp_new = tile_new,
    .tp_dealloc = tile_dealloc,
    .tp_methods = tile_methods,
    .tp_getset = tile_attributes,
};

int add_tile_types(PyObject *module)
{
    if (PyArray_ImportNumPyAPI() < 0) return -1;
    return PyModule_AddType(module, &TileLaunch_Type);
}
