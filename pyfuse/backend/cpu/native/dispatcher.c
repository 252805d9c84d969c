/* One call of a fused function whose launch is known: arguments are compared with the remembered forms, outputs are
   made, numbers packed, the kernel runs, the result is handed out. Everything else goes the Python way
   (pyfuse/executor.py), which also says what is remembered here.

   Nothing is decided here that Python decides: no error is raised but MemoryError and what nobody catches (Control-C),
   a number that does not fit goes the Python way, and so do reports of floating-point errors.

   Built with the package where a C compiler is at hand; pyfuse/backend/cpu/dispatch.py loads it. After a change:
   `python -m pip install -e .`. All state is guarded by the GIL, hence the main interpreter of a build with GIL only. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <string.h>
#include <structmember.h>

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>
#include <numpy/arrayscalars.h>

#include "dictionary_stamp.h"
#include "evaluation.h"
#include "facts.h"
#include "output_pool.h"
#include "tile_runner.h"

enum { INTERFACE = 8 };        /* dispatch.py refuses another: an old build may lie beside new sources */
enum { MOST_ARGUMENTS = 32 };
enum { MOST_OPERANDS = 64 };
enum { MOST_OUTPUTS = 16 };
enum { MOST_SCALARS = 32 };
enum { SCALAR_BYTES = 16 };
/* Comparing with one form costs 3 ns where the first argument differs already, the Python way 3,000. */
enum { MOST_REMEMBERED = 64 };
/* So many calls of a form are answered before one goes the Python way, to be timed against the original. */
enum { CALLS_BEFORE_TRIAL = 16 };
/* One in so many calls that a driver answers goes the Python way: it may fuse as a whole, or settings have changed. */
enum { DRIVEN_CALLS = 256 };
/* The same where the original answers because nothing fuses, until it has answered so many: a call the Python way takes
   25 us, so of functions of 1 us it is half the time. */
enum { ORIGINAL_CALLS = 32, STEADY_CALLS = 512 };
/* Temporaries up to this size together lie on the stack: partial results of reductions do. */
enum { STACK_BYTES = 1024, CACHE_LINE = 64 };
/* Results that are numbers, or are copied into an argument, lie on the stack where they are no more than this: an array
   made and thrown away costs 70 ns of a call of 250. What is larger is stored in place, and some from 3 KiB on: in_place.py. */
enum { SCRATCH_BYTES = 8192 };

/* As in runtime.c. */
typedef struct {
    long long operand_count, nest_count, thread_limit;
    long long data_offset;
    const void *nests;
} pf_launch;
typedef unsigned (*pf_launch_function)(const pf_launch *launch, const char *packed);

/* ---- Records ---- */

typedef struct {
    PyTypeObject *kind;    /* the exact type */
    PyObject *text;        /* of a str */
    PyArray_Descr *dtype;  /* of an array, with what follows */
    int ndim, is_aligned;
    npy_intp *sizes;       /* shape, then strides */
    npy_intp low, high;    /* the bytes that its elements may lie in, from the first element on */
} form;

typedef enum { FROM_FLOAT, FROM_INT, FROM_BOOL, SAME_NUMPY, OTHER_NUMPY, PACKED, COMPUTED } scalar_source;

typedef struct {
    int place; /* among the arguments, or among the computed numbers */
    scalar_source source;
    PyArray_Descr *dtype;       /* of the kernel */
    char packed[SCALAR_BYTES];  /* of a number that goes with the form */
} scalar;

typedef struct {
    PyArray_Descr *dtype;
    int ndim;
    int is_fortran;
    npy_intp *shape;    /* in the order of memory where `order` is set */
    npy_intp *inverse;  /* axes to transpose with, or NULL */
    int shares;         /* of a temporary without memory of its own: which output or earlier temporary has it; else -1 */
    int scratch;        /* of an output that needs no array: where it lies in the scratch of a call; else -1 */
} output;

typedef enum { AS_ARRAY, AS_SCALAR, AS_NUMBER } result_kind;

typedef struct {
    int output;
    int kind;
} result;

typedef struct {
    PyObject_HEAD
    PyObject *code, *names, *holds, *rest, *numbers, *arrays, *finish, *keeper;
    PyTypeObject *container; /* tuple, list, or NULL where the one result is what the function returns */
    Py_ssize_t positional_only;
    long thread_limit;
    unsigned replay_bits;
    int is_tiled, is_long;
    pf_launch_function start;
    pf_launch launch; /* a copy that takes addresses of data */
    int argument_count, input_count, scalar_count, output_count, temporary_count, result_count, item_count, fact_count;
    form *forms;
    int *inputs;
    npy_intp *offsets; /* of each input, from the beginning of the array: bytes */
    scalar *scalars;
    output *outputs;
    output *temporaries;
    result *results;
    int *items;
    /* Where all outputs go into arguments, of each output which argument that is; and what is returned then: an argument,
       or below 0 an object. In place: by the kernel, whose last temporary is the record of the call; `left` raises what
       the record tells of parts that were left. */
    int *stores, store_count, returned, is_in_place;
    int uses_scratch;
    PyObject *returned_object, *left;
    fact *facts; /* what is guarded, and `rest`, an Evaluation; or NULL where `holds` must be asked */
    /* Where `arrays` computes the inputs, and extents behind them: */
    int array_count, extent_count;
    form *array_forms;
    Py_ssize_t *extents;
    int calls, is_put_off, is_tried;
    int prefers_plain; /* the original is faster for such calls */
} KnownLaunch;

typedef struct {
    PyObject_HEAD
    PyObject *function, *code, *names;
    Py_ssize_t positional_only;
    PyObject *others; /* is called where no launch here is for a call; it says NotImplemented if it has none either */
    PyObject *driver, *driver_code; /* answers calls of no known form; and the function's code that it was made of */
    unsigned driven;
    /* Calls answered by kernels, by tiles, by the driver, by the original as one, and by the original because it is faster. */
    long long fused, tiled, partly, original, plain;
    unsigned long version; /* moves with every change of `known` */
    int count;
    KnownLaunch *known[MOST_REMEMBERED]; /* most recently used first */
} LaunchTable;

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    LaunchTable *table;
} Dispatcher;

/* ---- The settings in force: pyfuse.config.current_at_call, remembered ---- */

enum { VARIABLES = 3 };

typedef struct {
    PyObject *config; /* whose fields these are */
    long num_threads;
    int is_plain; /* neither disable nor verify */
    size_t pool_limit;
} settings;

static struct {
    PyObject *override, *environment, *keys[VARIABLES], *read, *must_report, *refusal;
    PyObject *seen[VARIABLES]; /* values of the variables when `usual` was read */
    uint64_t stamp;            /* of the environment when they were last found to be there */
    settings usual, overridden;
} known_settings;

static PyObject *name_call, *name_report, *name_refuse, *name_num_threads, *name_disable, *name_verify,
    *name_pool_limit, *name_filters, *name_error, *name_default, *name_ignore;

/* Python starts with five filters, NumPy adds four. */
enum { MOST_FILTERS = 24 };

/* What np.errstate says of reports, remembered for the object that holds it. */
static struct {
    PyObject *variable, *read, *filters, *seen;
    long bits; /* those that are reported; negative where a report may raise */
    PyObject *harmless[MOST_FILTERS]; /* the warning filters that were looked at, none of which makes an error */
    Py_ssize_t harmless_count;
} known_modes;

static size_t pool_limit; /* of the settings that were looked at last */

/* 0, or -1 with an exception. */
static int read_fields(PyObject *config, settings *into)
{
    PyObject *threads = PyObject_GetAttr(config, name_num_threads);
    PyObject *disable = threads ? PyObject_GetAttr(config, name_disable) : NULL;
    PyObject *verify = disable ? PyObject_GetAttr(config, name_verify) : NULL;
    PyObject *limit = verify ? PyObject_GetAttr(config, name_pool_limit) : NULL;
    int failed = -1;
    if (limit) {
        long number = PyLong_AsLong(threads);
        size_t bytes = number == -1 && PyErr_Occurred() ? (size_t)-1 : PyLong_AsSize_t(limit);
        if (!PyErr_Occurred()) {
            into->num_threads = number;
            into->pool_limit = bytes;
            into->is_plain = disable == Py_False && verify == Py_False;
            Py_INCREF(config);
            Py_XSETREF(into->config, config);
            failed = 0;
        }
    }
    Py_XDECREF(threads);
    Py_XDECREF(disable);
    Py_XDECREF(verify);
    Py_XDECREF(limit);
    return failed;
}

/* Whether the variables are the very objects that were seen; -1 with an exception. */
static int is_environment_as_seen(void)
{
    const uint64_t stamp = dictionary_stamp(known_settings.environment);
    if (stamp == known_settings.stamp && stamp != NO_STAMP) return 1;
    for (int number = 0; number < VARIABLES; number++) {
        PyObject *value = PyDict_GetItemWithError(known_settings.environment, known_settings.keys[number]);
        if (value != known_settings.seen[number]) return PyErr_Occurred() ? -1 : 0;
    }
    if (known_settings.usual.config == NULL) return 0;
    known_settings.stamp = stamp;
    return 1;
}

/* Reads the settings anew, through Python. 0, or -1 with an exception. */
static int read_environment(void)
{
    PyObject *before[VARIABLES] = {NULL}, *config = NULL;
    int is_current = 0, failed = -1;
    for (int number = 0; number < VARIABLES; number++) {
        before[number] = Py_XNewRef(PyDict_GetItemWithError(known_settings.environment, known_settings.keys[number]));
        if (before[number] == NULL && PyErr_Occurred()) goto done;
    }
    config = PyObject_CallNoArgs(known_settings.read);
    if (config == NULL) goto done;
    is_current = 1; /* unless another thread has changed a variable meanwhile: then the next call reads again */
    for (int number = 0; number < VARIABLES; number++) {
        PyObject *now = PyDict_GetItemWithError(known_settings.environment, known_settings.keys[number]);
        if (now == NULL && PyErr_Occurred()) goto done;
        is_current &= now == before[number];
    }
    failed = is_current ? read_fields(config, &known_settings.usual) : 0;
done:
    for (int number = 0; number < VARIABLES; number++) {
        if (is_current && !failed) Py_XSETREF(known_settings.seen[number], Py_XNewRef(before[number]));
        Py_XDECREF(before[number]);
    }
    Py_XDECREF(config);
    return failed;
}

/* 1 and the thread limit, 0 where the Python way must be gone, -1 with an exception. */
static int look_at_settings(long *num_threads)
{
    PyObject *override;
    if (known_settings.override == NULL) return 0;
    if (PyContextVar_Get(known_settings.override, NULL, &override) < 0) return -1;
    if (override != NULL && override != Py_None) {
        int failed = override == known_settings.overridden.config ? 0 : read_fields(override, &known_settings.overridden);
        Py_DECREF(override);
        pool_limit = known_settings.overridden.pool_limit;
        *num_threads = known_settings.overridden.num_threads;
        return failed ? failed : known_settings.overridden.is_plain;
    }
    Py_XDECREF(override);
    int is_seen = is_environment_as_seen();
    if (is_seen == 0) {
        if (read_environment() < 0) return -1;
        is_seen = is_environment_as_seen(); /* no: another thread has changed it meanwhile */
    }
    pool_limit = known_settings.usual.pool_limit;
    *num_threads = known_settings.usual.num_threads;
    return is_seen <= 0 ? is_seen : known_settings.usual.is_plain;
}

/* ---- Does a call have a known form? ---- */

/* As NumPy's ==, of the dtypes that kernels take: two descriptors of one type differ in their byte order only. */
static int is_same_dtype(const PyArray_Descr *one, const PyArray_Descr *other)
{
    if (one == other) return 1;
    return one->type_num == other->type_num && (one->type_num <= NPY_CLONGDOUBLE || one->type_num == NPY_HALF)
           && PyArray_ISNBO(one->byteorder) == PyArray_ISNBO(other->byteorder);
}

static int has_form(const form *wanted, PyObject *argument)
{
    if (Py_TYPE(argument) != wanted->kind) return 0;
    if (wanted->dtype != NULL) {
        PyArrayObject *array = (PyArrayObject *)argument;
        const npy_intp *shape = PyArray_DIMS(array), *strides = PyArray_STRIDES(array), *sizes = wanted->sizes;
        const int ndim = wanted->ndim;
        if (PyArray_NDIM(array) != ndim || !is_same_dtype(PyArray_DESCR(array), wanted->dtype)
            || PyArray_CHKFLAGS(array, NPY_ARRAY_ALIGNED) != wanted->is_aligned)
            return 0;
        for (int axis = 0; axis < ndim; axis++) /* two calls of memcmp take 3 ns an array */
            if (shape[axis] != sizes[axis] || strides[axis] != sizes[ndim + axis]) return 0;
        return 1;
    }
    if (wanted->text != NULL) return wanted->text == argument || PyUnicode_Compare(wanted->text, argument) == 0;
    return 1;
}

static int has_known_form(const KnownLaunch *known, PyObject *const *arguments)
{
    for (int number = 0; number < known->argument_count; number++)
        if (!has_form(&known->forms[number], arguments[number])) return 0;
    return 1;
}

/* What a Python function says of the arguments. */
static PyObject *ask(PyObject *function, const KnownLaunch *known, PyObject *const *arguments)
{
    if (Py_TYPE(function) == &Evaluation_Type) return evaluation_values(function, arguments);
    return call_with_tuple(function, arguments, known->argument_count);
}

/* 1: what is guarded holds. 0: it does not. -1: an exception. Runs Python code. */
static int ask_whether_it_holds(const KnownLaunch *known, PyObject *const *arguments)
{
    PyObject *answer = ask(known->holds, known, arguments);
    if (answer == NULL) return -1;
    int holds = PyObject_IsTrue(answer);
    Py_DECREF(answer);
    return holds;
}

/* Whether computed arrays and extents are as they were. */
static int are_as_computed(const KnownLaunch *known, PyObject *computed)
{
    if (!PyList_CheckExact(computed) || PyList_GET_SIZE(computed) != known->array_count + known->extent_count) return 0;
    for (int number = 0; number < known->array_count; number++)
        if (!has_form(&known->array_forms[number], PyList_GET_ITEM(computed, number))) return 0;
    for (int number = 0; number < known->extent_count; number++) {
        PyObject *value = PyList_GET_ITEM(computed, known->array_count + number);
        if (!PyLong_Check(value) && !PyArray_IsScalar(value, Integer)) return 0;
        Py_ssize_t extent = PyNumber_AsSsize_t(value, NULL);
        if (extent == -1 && PyErr_Occurred()) return PyErr_Clear(), 0;
        if (extent != known->extents[number]) return 0;
    }
    return 1;
}

/* 1: the launch suits the call, and *computed holds its arrays where they are no arguments (a new reference).
   0: it does not. -1: an exception that nobody catches. May run Python code. */
static int suits(const KnownLaunch *known, PyObject *const *arguments, PyObject **computed)
{
    *computed = NULL;
    if (known->holds != NULL) {
        int are_facts = known->facts != NULL && are_facts_as_they_were(known->facts, known->fact_count), holds = 1;
        if (!are_facts) {
            holds = ask_whether_it_holds(known, arguments);
        } else if (known->rest != NULL) {
            holds = evaluation_holds(known->rest, arguments);
        }
        if (holds <= 0) return holds;
    }
    if (known->arrays == NULL) return 1;
    *computed = ask(known->arrays, known, arguments);
    if (*computed == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError)) return -1;
        PyErr_Clear(); /* as runner.py: what cannot be looked at does not hold */
        return 0;
    }
    if (are_as_computed(known, *computed)) return 1;
    Py_CLEAR(*computed);
    return 0;
}

static void move_to_front(LaunchTable *table, int place)
{
    KnownLaunch *known = table->known[place];
    memmove(table->known + 1, table->known, (size_t)place * sizeof *table->known);
    table->known[0] = known;
    table->version++;
}

/* A new reference, and `computed` as of `suits`; or NULL: with an exception, or where none is known. */
static KnownLaunch *find(LaunchTable *table, PyObject *const *arguments, long num_threads, PyObject **computed)
{
    *computed = NULL;
    for (int place = 0; place < table->count; place++) {
        KnownLaunch *known = table->known[place];
        if (known->thread_limit != num_threads || !has_known_form(known, arguments)) continue;
        Py_INCREF(known);
        if (known->prefers_plain) return known; /* whatever is guarded: the original is right in any case */
        unsigned long version = table->version;
        int is_suitable = suits(known, arguments, computed);
        if (is_suitable > 0) {
            if (place > 0 && table->version == version) move_to_front(table, place);
            return known;
        }
        Py_DECREF(known);
        if (is_suitable < 0 || table->version != version) return NULL; /* another thread has been here */
    }
    return NULL;
}

/* ---- Binding ---- */

static int bind_one(const LaunchTable *table, Py_ssize_t first, PyObject **bound, PyObject *name, PyObject *value)
{
    Py_ssize_t count = PyTuple_GET_SIZE(table->names);
    if (first < table->positional_only) first = table->positional_only;
    for (Py_ssize_t place = first; place < count; place++)
        if (PyTuple_GET_ITEM(table->names, place) == name && bound[place] == NULL) {
            bound[place] = value;
            return 1;
        }
    return 0; /* a wrong name, a value too many, or a name that is equal but another object */
}

/* 1: `bound` has a value for each parameter, borrowed, from the call and from *defaults, which is a new reference.
   0: the Python way. */
static int bind(const LaunchTable *table, PyObject *const *values, Py_ssize_t count, PyObject *keywords,
                PyObject *dictionary, PyObject **bound, PyObject **defaults)
{
    Py_ssize_t wanted = PyTuple_GET_SIZE(table->names);
    if (count > wanted) return 0;
    for (Py_ssize_t place = 0; place < wanted; place++) bound[place] = place < count ? values[place] : NULL;
    if (keywords != NULL)
        for (Py_ssize_t number = 0; number < PyTuple_GET_SIZE(keywords); number++)
            if (!bind_one(table, count, bound, PyTuple_GET_ITEM(keywords, number), values[count + number])) return 0;
    if (dictionary != NULL) {
        PyObject *name, *value;
        Py_ssize_t position = 0;
        while (PyDict_Next(dictionary, &position, &name, &value))
            if (!bind_one(table, count, bound, name, value)) return 0;
    }
    PyObject *given = PyFunction_GetDefaults(table->function);
    Py_ssize_t first = wanted - (given != NULL && given != Py_None ? PyTuple_GET_SIZE(given) : 0);
    for (Py_ssize_t place = count; place < wanted; place++) {
        if (bound[place] != NULL) continue;
        if (place < first) return 0;
        bound[place] = PyTuple_GET_ITEM(given, place - first);
    }
    Py_XINCREF(given);
    *defaults = given;
    return 1;
}

/* ---- Memory of outputs: NumPy's own way, or the pool's as a memory policy (NEP 49) ---- */

/* From here on malloc may ask the system for new pages at every call, and give them back (M_MMAP_THRESHOLD,
   M_TRIM_THRESHOLD): unless the program has freed something larger before, 2a+3b of 100,000 float64 takes 89 us for 26. */
static const npy_intp POOLED_BYTES = 1 << 17;
enum { NUMPYS_TRACE_DOMAIN = 389047 }; /* of tracemalloc: numpy/lib/tracemalloc_domain */

static void *policy_take(void *context, size_t bytes)
{
    (void)context;
    return pool_take(bytes);
}

static void *policy_take_zeroed(void *context, size_t count, size_t size)
{
    (void)context;
    if (size != 0 && count > SIZE_MAX / size) return NULL;
    void *data = pool_take(count * size);
    return data != NULL ? memset(data, 0, count * size) : NULL;
}

static void policy_give(void *context, void *data, size_t bytes)
{
    (void)context;
    (void)bytes;
    pool_give(data);
}

/* Of ndarray.resize. */
static void *policy_take_again(void *context, void *data, size_t bytes)
{
    (void)context;
    size_t before = data != NULL ? pool_capacity(data) : 0;
    void *moved = pool_take(bytes);
    if (moved == NULL || data == NULL) return moved;
    memcpy(moved, data, before < bytes ? before : bytes);
    pool_give(data);
    return moved;
}

static PyDataMem_Handler policy = {
    "pyfuse_output_pool", 1, {NULL, policy_take, policy_take_zeroed, policy_take_again, policy_give}};
static PyObject *policy_capsule; /* NULL where there is no pool */

/* NumPy's size of an array, or -1 where that is no number; NumPy then says so itself. */
static npy_intp bytes_of(const PyArray_Descr *dtype, int ndim, const npy_intp *shape)
{
    npy_intp bytes = PyDataType_ELSIZE(dtype);
    for (int axis = 0; axis < ndim; axis++)
        if (__builtin_mul_overflow(bytes, shape[axis], &bytes)) return -1;
    return bytes;
}

/* Whether outputs may be of the pool: the user has no memory policy of his own. -1 with an exception. */
static int is_policy_usual(void)
{
    PyObject *now = PyDataMem_GetHandler();
    if (now == NULL) return -1;
    Py_DECREF(now);
    return now == PyDataMem_DefaultHandler;
}

/* An array over memory of the pool, which it owns; NULL without an exception where the pool has none. This is what
   PyDataMem_SetHandler before and after the making would bring about, which takes 0.2 us. */
static PyObject *new_pooled_array(PyArray_Descr *dtype, int ndim, const npy_intp *shape, int is_fortran, size_t bytes)
{
    pool_set_limit(pool_limit);
    void *data = pool_take(bytes);
    if (data == NULL) return NULL;
    int flags = NPY_ARRAY_BEHAVED | (is_fortran ? NPY_ARRAY_F_CONTIGUOUS : NPY_ARRAY_C_CONTIGUOUS);
    Py_INCREF(dtype);
    PyObject *array = PyArray_NewFromDescr(&PyArray_Type, dtype, ndim, shape, NULL, data, flags, NULL);
    if (array == NULL) {
        pool_give(data);
        return NULL;
    }
    PyTraceMalloc_Track(NUMPYS_TRACE_DOMAIN, (uintptr_t)data, bytes);
    ((PyArrayObject_fields *)array)->mem_handler = Py_NewRef(policy_capsule);
    PyArray_ENABLEFLAGS((PyArrayObject *)array, NPY_ARRAY_OWNDATA);
    return array;
}

/* A new array whose elements are not set. Large ones are of the pool, unless the user has a memory policy of his own. */
static PyObject *new_array(PyArray_Descr *dtype, int ndim, const npy_intp *shape, int is_fortran)
{
    npy_intp bytes = bytes_of(dtype, ndim, shape);
    if (bytes >= POOLED_BYTES && policy_capsule != NULL && (size_t)bytes <= pool_limit) {
        int is_usual = is_policy_usual();
        PyObject *array = is_usual > 0 ? new_pooled_array(dtype, ndim, shape, is_fortran, (size_t)bytes) : NULL;
        if (array != NULL || PyErr_Occurred()) return array;
    }
    Py_INCREF(dtype);
    return PyArray_NewFromDescr(&PyArray_Type, dtype, ndim, shape, NULL, NULL,
                                is_fortran ? NPY_ARRAY_F_CONTIGUOUS : 0, NULL);
}

/* ---- Running ---- */

static PyObject *make_array(const output *form)
{
    PyObject *array = new_array(form->dtype, form->ndim, form->shape, form->is_fortran);
    if (array == NULL || form->inverse == NULL) return array;
    PyArray_Dims inverse = {form->inverse, form->ndim};
    PyObject *turned = PyArray_Transpose((PyArrayObject *)array, &inverse);
    Py_DECREF(array);
    return turned;
}

static int pack_integer(char kind, int size, PyObject *number, char *slot)
{
    if (kind == 'u') {
        unsigned long long value = PyLong_AsUnsignedLongLong(number);
        if (value == (unsigned long long)-1 && PyErr_Occurred()) return 0;
        if (size < 8 && value >> (8 * size)) return 0;
        switch (size) {
        case 1: { uint8_t small = (uint8_t)value; memcpy(slot, &small, 1); return 1; }
        case 2: { uint16_t small = (uint16_t)value; memcpy(slot, &small, 2); return 1; }
        case 4: { uint32_t small = (uint32_t)value; memcpy(slot, &small, 4); return 1; }
        default: { uint64_t same = value; memcpy(slot, &same, 8); return 1; }
        }
    }
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow || (value == -1 && PyErr_Occurred())) return 0;
    if (size < 8) {
        long long limit = 1LL << (8 * size - 1);
        if (value < -limit || value >= limit) return 0;
    }
    switch (size) {
    case 1: { int8_t small = (int8_t)value; memcpy(slot, &small, 1); return 1; }
    case 2: { int16_t small = (int16_t)value; memcpy(slot, &small, 2); return 1; }
    case 4: { int32_t small = (int32_t)value; memcpy(slot, &small, 4); return 1; }
    default: { int64_t same = value; memcpy(slot, &same, 8); return 1; }
    }
}

static int pack_float(int size, double value, char *slot)
{
    switch (size) {
    case 2: return PyFloat_Pack2(value, slot, PY_LITTLE_ENDIAN) == 0;
    case 4: return PyFloat_Pack4(value, slot, PY_LITTLE_ENDIAN) == 0;
    default: memcpy(slot, &value, sizeof value); return 1;
    }
}

/* Which way of `pack` is right for numbers of this one's type; -1: none, Python's own. */
static int source_of(PyObject *number, const PyArray_Descr *dtype)
{
    int is_float = dtype->kind == 'f', is_number = is_float || dtype->kind == 'i' || dtype->kind == 'u';
    if (PyDataType_ELSIZE(dtype) > 8 || !(is_number || dtype->kind == 'b')) return -1;
    if (PyFloat_CheckExact(number) && is_float) return FROM_FLOAT;
    if (PyBool_Check(number)) return is_number ? FROM_INT : FROM_BOOL;
    if (PyLong_CheckExact(number) && is_number) return FROM_INT;
    if (!PyArray_IsScalar(number, Generic)) return -1;
    PyArray_Descr *own = PyArray_DescrFromScalar(number);
    if (own == NULL) return PyErr_Clear(), -1;
    int is_known = own->typeobj == Py_TYPE(number) && PyDataType_ELSIZE(own) <= 8;
    int is_same = own->kind == dtype->kind && PyDataType_ELSIZE(own) == PyDataType_ELSIZE(dtype);
    int is_whole = own->kind == 'i' || own->kind == 'u';
    int is_fit = is_float ? is_whole || own->kind == 'f' : is_number && is_whole;
    Py_DECREF(own);
    return !is_known ? -1 : is_same ? SAME_NUMPY : is_fit ? OTHER_NUMPY : -1;
}

/* By way of Python's number, as struct takes it: only where the dtypes differ. */
static int pack_other(const PyArray_Descr *dtype, PyObject *number, char *slot)
{
    int size = (int)PyDataType_ELSIZE(dtype);
    if (dtype->kind == 'f') {
        double value = PyFloat_AsDouble(number);
        return !(value == -1.0 && PyErr_Occurred()) && pack_float(size, value, slot);
    }
    PyObject *whole = PyNumber_Index(number);
    int fits = whole != NULL && pack_integer(dtype->kind, size, whole, slot);
    Py_XDECREF(whole);
    return fits;
}

/* As struct.pack in launch.py. 0, perhaps with an exception: it does not fit, Python says so. */
static int pack(scalar_source source, const PyArray_Descr *dtype, PyObject *number, char *slot)
{
    int size = (int)PyDataType_ELSIZE(dtype);
    memset(slot, 0, SCALAR_BYTES);
    switch (source) {
    case FROM_FLOAT: return pack_float(size, PyFloat_AS_DOUBLE(number), slot);
    case FROM_BOOL: slot[0] = number == Py_True; return 1;
    case SAME_NUMPY: PyArray_ScalarAsCtype(number, slot); return 1;
    case OTHER_NUMPY: return pack_other(dtype, number, slot);
    default: break;
    }
    if (dtype->kind != 'f') return pack_integer(dtype->kind, size, number, slot);
    double value = PyLong_AsDouble(number);
    if (value == -1.0 && PyErr_Occurred()) return 0;
    return pack_float(size, value, slot);
}

/* 1 when all fit. 0: not as they are packed here. -1: an exception, perhaps a refusal. */
static int pack_all(const KnownLaunch *known, PyObject *const *arguments, char *slots)
{
    PyObject *computed = NULL;
    int fits = 1;
    if (known->numbers != NULL) {
        computed = ask(known->numbers, known, arguments);
        if (computed == NULL) return -1;
        if (!PyList_CheckExact(computed)) fits = 0;
    }
    for (int number = 0; fits && number < known->scalar_count; number++) {
        const scalar *one = &known->scalars[number];
        char *slot = slots + (size_t)number * SCALAR_BYTES;
        if (one->source == PACKED) {
            memcpy(slot, one->packed, SCALAR_BYTES);
        } else if (one->source == COMPUTED) {
            PyObject *value = one->place < PyList_GET_SIZE(computed) ? PyList_GET_ITEM(computed, one->place) : NULL;
            int source = value != NULL ? source_of(value, one->dtype) : -1;
            fits = source >= 0 && pack((scalar_source)source, one->dtype, value, slot);
        } else {
            fits = pack(one->source, one->dtype, arguments[one->place], slot);
        }
    }
    Py_XDECREF(computed);
    if (fits || !PyErr_Occurred()) return fits;
    if (PyErr_ExceptionMatches(PyExc_MemoryError)) return -1;
    PyErr_Clear();
    return 0;
}


/* Temporaries on the stack, or in arrays: their addresses behind those of the outputs. 0, or -1 with an exception. */
static int make_temporaries(const KnownLaunch *known, char *stack, char **outputs, PyObject **made)
{
    char **addresses = outputs + known->output_count;
    size_t used = 0;
    for (int number = 0; number < known->temporary_count; number++) {
        const output *form = &known->temporaries[number];
        if (form->shares >= 0) {
            addresses[number] = outputs[form->shares];
            continue;
        }
        size_t bytes = (size_t)form->shape[0] * (size_t)PyDataType_ELSIZE(form->dtype);
        size_t rounded = (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
        if (rounded <= STACK_BYTES - used) {
            addresses[number] = stack + used;
            used += rounded;
            continue;
        }
        made[number] = make_array(form);
        if (made[number] == NULL) return -1;
        addresses[number] = PyArray_BYTES((PyArrayObject *)made[number]);
    }
    return 0;
}

static void remember_harmless(PyObject **filters, Py_ssize_t count)
{
    PyObject *before[MOST_FILTERS];
    const Py_ssize_t known = known_modes.harmless_count;
    if (count > MOST_FILTERS) return;
    memcpy(before, known_modes.harmless, sizeof before);
    for (Py_ssize_t number = 0; number < count; number++) known_modes.harmless[number] = Py_NewRef(filters[number]);
    known_modes.harmless_count = count;
    for (Py_ssize_t number = 0; number < known; number++) Py_DECREF(before[number]); /* may run Python code */
}

/* Whether a warning may become an error: then Python looks closer. */
static int has_error_filter(void)
{
    PyObject *filters = PyDict_GetItemWithError(known_modes.filters, name_filters);
    if (filters == NULL) PyErr_Clear();
    if (filters == NULL || !PyList_CheckExact(filters)) return 1;
    const Py_ssize_t count = PyList_GET_SIZE(filters);
    PyObject **items = ((PyListObject *)(void *)filters)->ob_item;
    if (count > 0 && count == known_modes.harmless_count
        && memcmp(items, known_modes.harmless, (size_t)count * sizeof *items) == 0)
        return 0; /* tuples do not change: 3 ns for 23 */
    for (Py_ssize_t number = 0; number < count; number++) {
        PyObject *filter = PyList_GET_ITEM(filters, number);
        if (!PyTuple_CheckExact(filter) || PyTuple_GET_SIZE(filter) < 1) return 1;
        PyObject *action = PyTuple_GET_ITEM(filter, 0);
        if (action == name_error || !PyUnicode_Check(action)) return 1;
        if (action != name_default && action != name_ignore && PyUnicode_Compare(action, name_error) == 0) return 1;
    }
    remember_harmless(items, count);
    return 0;
}

/* Status bits that NumPy reports under the settings in force; negative: Python is to say. -2: an exception. */
static long reported_bits(void)
{
    PyObject *modes;
    if (known_modes.variable == NULL || has_error_filter()) return -1;
    if (PyContextVar_Get(known_modes.variable, NULL, &modes) < 0) return -2;
    if (modes == NULL) return -1;
    if (modes != known_modes.seen) {
        PyObject *bits = PyObject_CallNoArgs(known_modes.read);
        long number = bits != NULL ? PyLong_AsLong(bits) : -2;
        Py_XDECREF(bits);
        if (PyErr_Occurred()) return Py_DECREF(modes), -2;
        known_modes.bits = number;
        Py_XSETREF(known_modes.seen, Py_NewRef(modes));
    }
    Py_DECREF(modes);
    return known_modes.bits;
}

/* Of arguments by their numbers. */
static int may_overlap(const KnownLaunch *known, PyObject *const *arguments, int one, int other)
{
    const char *data = PyArray_BYTES((PyArrayObject *)arguments[one]);
    const char *other_data = PyArray_BYTES((PyArrayObject *)arguments[other]);
    return data + known->forms[one].low < other_data + known->forms[other].high
           && other_data + known->forms[other].low < data + known->forms[one].high;
}

/* Whether nothing else that is read lies in what is stored. As in_place.py: may_go_in_place. */
static int is_apart(const KnownLaunch *known, PyObject *const *arguments)
{
    for (int number = 0; number < known->store_count; number++) {
        const int target = known->stores[number];
        if (!PyArray_ISWRITEABLE((PyArrayObject *)arguments[target])) return 0;
        for (int other = 0; other < number; other++)
            if (may_overlap(known, arguments, target, known->stores[other])) return 0;
        for (int input = 0; input < known->input_count; input++) {
            const int read = known->inputs[input];
            if (read != target && may_overlap(known, arguments, read, target)) return 0;
        }
    }
    return 1;
}

/* Raises what the record of a call tells: for Python. */
static void raise_left(const KnownLaunch *known, const long long *record)
{
    PyObject *numbers = PyList_New(2 + 2 * (Py_ssize_t)record[1]);
    for (Py_ssize_t number = 0; numbers != NULL && number < PyList_GET_SIZE(numbers); number++) {
        PyObject *value = PyLong_FromLongLong(record[number]);
        if (value == NULL) Py_CLEAR(numbers);
        else PyList_SET_ITEM(numbers, number, value);
    }
    if (numbers == NULL) return;
    PyObject *returned = known->left != NULL ? PyObject_CallOneArg(known->left, numbers) : Py_NewRef(Py_None);
    Py_DECREF(numbers);
    if (returned == NULL) return;
    Py_DECREF(returned);
    PyErr_SetString(PyExc_SystemError, "what is left of a call is not told");
}

typedef enum { RAN, DOES_NOT_FIT, FAILED } outcome;

/* Fills `outputs` with new references (NULL beyond a failure, and of what is in `scratch`) and runs the kernel. */
static outcome run(const KnownLaunch *known, PyObject *const *arguments, PyObject *computed, PyObject **outputs,
                   char *scratch, unsigned *status)
{
    union {
        _Alignas(SCALAR_BYTES) char bytes[MOST_OPERANDS * sizeof(char *) + MOST_SCALARS * SCALAR_BYTES];
        char *addresses[MOST_OPERANDS];
    } packed;
    _Alignas(CACHE_LINE) char stack[STACK_BYTES];
    PyObject *temporaries[MOST_OPERANDS];
    char **const addresses = packed.addresses;
    int count = 0;
    outcome end = FAILED;
    long bits = 0;
    for (int number = 0; number < known->temporary_count; number++) temporaries[number] = NULL;
    if (known->is_in_place) {
        bits = reported_bits();
        if (bits == -2) return FAILED;
        if (bits < 0 || !is_apart(known, arguments)) return DOES_NOT_FIT;
    }

    const int is_scratch_used = known->uses_scratch && is_apart(known, arguments);
    for (int number = 0; number < known->input_count; number++) {
        PyObject *input = computed != NULL ? PyList_GET_ITEM(computed, number) : arguments[known->inputs[number]];
        addresses[count++] = PyArray_BYTES((PyArrayObject *)input) + known->offsets[number];
    }
    for (int number = 0; number < known->output_count; number++) {
        if (is_scratch_used && known->outputs[number].scratch >= 0) {
            addresses[count++] = scratch + known->outputs[number].scratch;
            continue;
        }
        outputs[number] = known->is_in_place ? Py_NewRef(arguments[known->stores[number]])
                                             : make_array(&known->outputs[number]);
        if (outputs[number] == NULL) goto done;
        addresses[count++] = PyArray_BYTES((PyArrayObject *)outputs[number]);
    }
    if (make_temporaries(known, stack, addresses + known->input_count, temporaries) < 0) goto done;
    count += known->temporary_count;
    long long *record = known->is_in_place ? (long long *)(void *)addresses[count - 1] : NULL;
    if (record != NULL) {
        record[0] = bits | (long)known->replay_bits;
        record[1] = 0;
    }
    if (known->scalar_count > 0) {
        int fits = pack_all(known, arguments, packed.bytes + (size_t)count * sizeof *addresses);
        if (fits == 0) end = DOES_NOT_FIT;
        if (fits <= 0) goto done;
    }
    if (known->is_long) {
        Py_BEGIN_ALLOW_THREADS
        *status = known->start(&known->launch, packed.bytes);
        Py_END_ALLOW_THREADS
    } else {
        *status = known->start(&known->launch, packed.bytes);
    }
    end = RAN;
    if (record != NULL) {
        *status = 0; /* what is reported was left */
        if (record[1] != 0) {
            raise_left(known, record);
            end = FAILED;
        }
    }
done:
    for (int number = 0; number < known->temporary_count; number++) Py_XDECREF(temporaries[number]);
    return end;
}

/* A new reference to what one result is made of: an array, or bytes in the scratch. */
static PyObject *finish_one(const KnownLaunch *known, const result *wanted, PyObject *const *outputs, char *scratch)
{
    const output *form = &known->outputs[wanted->output];
    PyObject *array = outputs[wanted->output];
    if (array == NULL && wanted->kind == AS_NUMBER) return PyFloat_FromDouble(*(double *)(void *)(scratch + form->scratch));
    if (array == NULL) return PyArray_Scalar(scratch + form->scratch, form->dtype, NULL);
    if (wanted->kind == AS_NUMBER) return PyArray_GETITEM((PyArrayObject *)array, PyArray_BYTES((PyArrayObject *)array));
    Py_INCREF(array);
    return wanted->kind == AS_SCALAR ? PyArray_Return((PyArrayObject *)array) : array;
}

/* The same by Python, which may refuse. */
static PyObject *finish_in_python(const KnownLaunch *known, PyObject *const *outputs, PyObject *const *arguments)
{
    PyObject *returned = NULL, *made = PyTuple_New(known->output_count), *given = PyTuple_New(known->argument_count);
    if (made != NULL && given != NULL) {
        for (int number = 0; number < known->output_count; number++)
            PyTuple_SET_ITEM(made, number, Py_NewRef(outputs[number]));
        for (int number = 0; number < known->argument_count; number++)
            PyTuple_SET_ITEM(given, number, Py_NewRef(arguments[number]));
        returned = PyObject_CallFunctionObjArgs(known->finish, made, given, NULL);
    }
    Py_XDECREF(made);
    Py_XDECREF(given);
    return returned;
}

/* Copies outputs into the arguments that they are stored into, where Python has nothing to say about it. */
static PyObject *finish_stores(const KnownLaunch *known, PyObject *const *outputs, const char *scratch,
                               PyObject *const *arguments)
{
    const int has_arrays = !known->is_in_place && outputs[0] != NULL;
    if (has_arrays && !is_apart(known, arguments)) return finish_in_python(known, outputs, arguments);
    for (int number = 0; !known->is_in_place && number < known->store_count; number++) {
        PyArrayObject *target = (PyArrayObject *)arguments[known->stores[number]], *made = (PyArrayObject *)outputs[number];
        if (!has_arrays)
            memcpy(PyArray_BYTES(target), scratch + known->outputs[number].scratch, (size_t)PyArray_NBYTES(target));
        else if (PyArray_IS_C_CONTIGUOUS(target) && PyArray_IS_C_CONTIGUOUS(made))
            memcpy(PyArray_BYTES(target), PyArray_BYTES(made), (size_t)PyArray_NBYTES(made));
        else if (PyArray_CopyInto(target, made) < 0)
            return NULL;
    }
    return Py_NewRef(known->returned >= 0 ? arguments[known->returned] : known->returned_object);
}

static PyObject *finish(const KnownLaunch *known, PyObject *const *outputs, char *scratch, PyObject *const *arguments)
{
    if (known->store_count > 0) return finish_stores(known, outputs, scratch, arguments);
    if (known->finish != NULL) return finish_in_python(known, outputs, arguments);
    if (known->container == NULL) return finish_one(known, &known->results[0], outputs, scratch);
    PyObject *made[MOST_OUTPUTS];
    PyObject *container = NULL;
    int count = 0;
    for (; count < known->result_count; count++) {
        made[count] = finish_one(known, &known->results[count], outputs, scratch);
        if (made[count] == NULL) goto done;
    }
    int is_tuple = known->container == &PyTuple_Type;
    container = is_tuple ? PyTuple_New(known->item_count) : PyList_New(known->item_count);
    if (container == NULL) goto done;
    for (int number = 0; number < known->item_count; number++) {
        PyObject *item = made[known->items[number]];
        Py_INCREF(item);
        if (is_tuple)
            PyTuple_SET_ITEM(container, number, item);
        else
            PyList_SET_ITEM(container, number, item);
    }
done:
    for (int number = 0; number < count; number++) Py_DECREF(made[number]);
    return container;
}

/* 1: NumPy is to report what the kernel met. -1: an exception. */
static int must_report(const KnownLaunch *known, unsigned status)
{
    PyObject *answer = PyObject_CallFunction(known_settings.must_report, "II", status, known->replay_bits);
    if (answer == NULL) return -1;
    int is_reported = PyObject_IsTrue(answer);
    Py_DECREF(answer);
    return is_reported;
}

typedef enum { DONE, PLAIN, DRIVEN, PYTHON_WAY, PYTHON_REPORTS, PYTHON_REFUSES } answer;

/* DONE: *returned is the call's result, or NULL with an exception. PYTHON_REFUSES: the exception is set. */
static answer run_known(LaunchTable *table, const KnownLaunch *known, PyObject *const *arguments, PyObject *computed,
                        PyObject **returned)
{
    PyObject *outputs[MOST_OUTPUTS];
    _Alignas(CACHE_LINE) char scratch[SCRATCH_BYTES];
    unsigned status = 0;
    answer end = DONE;
    *returned = NULL;
    for (int number = 0; number < known->output_count; number++) outputs[number] = NULL;
    switch (run(known, arguments, computed, outputs, scratch, &status)) {
    case FAILED: break;
    case DOES_NOT_FIT: end = PYTHON_WAY; break;
    case RAN: {
        int is_reported = status != 0 ? must_report(known, status) : 0;
        if (is_reported == 0) *returned = finish(known, outputs, scratch, arguments);
        if (is_reported > 0) end = PYTHON_REPORTS;
        if (*returned != NULL) ++*(known->is_tiled ? &table->tiled : &table->fused);
    }
    }
    for (int number = 0; number < known->output_count; number++) Py_XDECREF(outputs[number]);
    if (end == DONE && *returned == NULL && PyErr_ExceptionMatches(known_settings.refusal)) return PYTHON_REFUSES;
    return end;
}

static int is_driven(LaunchTable *table)
{
    PyObject *function = table->function, *driver = table->driver;
    if (driver == NULL || PyFunction_GetCode(function) != table->driver_code
        || PyFunction_GetDefaults(function) != PyFunction_GetDefaults(driver)
        || PyFunction_GetKwDefaults(function) != PyFunction_GetKwDefaults(driver))
        return 0;
    table->driven++;
    return table->driven % (driver == function && table->driven < STEADY_CALLS ? ORIGINAL_CALLS : DRIVEN_CALLS) != 0;
}

/* DONE where what answers other calls does so: *returned is the result, or NULL with an exception. */
static answer call_others(LaunchTable *table, PyObject *const *arguments, PyObject **returned)
{
    PyObject *others = Py_NewRef(table->others);
    *returned = PyObject_Vectorcall(others, arguments, (size_t)PyTuple_GET_SIZE(table->names), NULL);
    Py_DECREF(others);
    if (*returned == Py_NotImplemented) {
        Py_CLEAR(*returned);
        return PYTHON_WAY;
    }
    if (*returned != NULL) table->fused++;
    return DONE;
}

static answer call_known(LaunchTable *table, PyObject *const *values, Py_ssize_t count, PyObject *keywords,
                         PyObject *dictionary, PyObject **returned)
{
    PyObject *bound[MOST_ARGUMENTS], *defaults = NULL;
    PyObject *const *arguments = values;
    long num_threads;
    *returned = NULL;
    int is_plain = look_at_settings(&num_threads);
    if (is_plain <= 0) return is_plain < 0 ? DONE : PYTHON_WAY;
    int is_empty = table->count == 0 && table->others == NULL;
    if (is_empty || PyFunction_GetCode(table->function) != table->code)
        return is_driven(table) ? DRIVEN : PYTHON_WAY;
    if (keywords != NULL || dictionary != NULL || count != PyTuple_GET_SIZE(table->names)) {
        if (!bind(table, values, count, keywords, dictionary, bound, &defaults)) return PYTHON_WAY;
        arguments = bound;
    }
    answer end = PYTHON_WAY;
    PyObject *computed;
    KnownLaunch *known = find(table, arguments, num_threads, &computed);
    if (known != NULL && known->prefers_plain) {
        Py_DECREF(known);
        end = PLAIN;
    } else if (known != NULL && !known->is_tried && ++known->calls >= CALLS_BEFORE_TRIAL) {
        Py_XDECREF(computed);
        Py_DECREF(known);
    } else if (known != NULL) {
        end = run_known(table, known, arguments, computed, returned);
        Py_XDECREF(computed);
        Py_DECREF(known);
    } else if (PyErr_Occurred()) {
        end = DONE;
    } else {
        if (table->others != NULL) end = call_others(table, arguments, returned);
        if (end == PYTHON_WAY && is_driven(table)) end = DRIVEN;
    }
    Py_XDECREF(defaults);
    return end;
}

/* ---- The callable ---- */

/* The exception that is set, which is no longer afterwards; NULL where nothing is to be refused. */
static PyObject *take_refusal(answer end)
{
    if (end != PYTHON_REFUSES) return NULL;
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *kind, *value, *traceback;
    PyErr_Fetch(&kind, &value, &traceback);
    PyErr_NormalizeException(&kind, &value, &traceback);
    Py_XDECREF(kind);
    Py_XDECREF(traceback);
    return value;
#endif
}

static PyObject *call_python(PyObject *self, answer end, PyObject *args, PyObject *kwargs, PyObject *refusal)
{
    PyObject *own = kwargs == NULL ? PyDict_New() : Py_NewRef(kwargs);
    if (own == NULL) return NULL;
    PyObject *name = end == PYTHON_REFUSES ? name_refuse : end == PYTHON_REPORTS ? name_report : name_call;
    PyObject *returned = PyObject_CallMethodObjArgs(self, name, args, own, refusal, NULL);
    Py_DECREF(own);
    return returned;
}

/* A new reference to the function that answers instead of a kernel; NULL where none does. */
static PyObject *take_other(LaunchTable *table, answer end)
{
    if (end == PLAIN) return table->plain++, Py_NewRef(table->function);
    if (end == DRIVEN && table->driver == table->function) return table->original++, Py_NewRef(table->function);
    if (end == DRIVEN) return table->partly++, Py_NewRef(table->driver);
    return NULL;
}

static PyObject *dispatcher_call(PyObject *self, PyObject *args, PyObject *kwargs)
{
    LaunchTable *table = ((Dispatcher *)self)->table;
    answer end = PYTHON_WAY;
    PyObject *returned = NULL;
    PyObject *dictionary = kwargs != NULL && PyDict_GET_SIZE(kwargs) > 0 ? kwargs : NULL;
    if (table != NULL) {
        Py_INCREF(table); /* the attribute may be assigned meanwhile */
        end = call_known(table, &PyTuple_GET_ITEM(args, 0), PyTuple_GET_SIZE(args), NULL, dictionary, &returned);
        PyObject *other = take_other(table, end);
        if (other != NULL) {
            returned = PyObject_Call(other, args, kwargs);
            Py_DECREF(other);
            end = DONE;
        }
        Py_DECREF(table);
    }
    if (end == DONE) return returned;
    PyObject *refusal = take_refusal(end);
    returned = call_python(self, end, args, kwargs, refusal);
    Py_XDECREF(refusal);
    return returned;
}

static PyObject *dispatcher_vectorcall(PyObject *self, PyObject *const *values, size_t flagged, PyObject *keywords)
{
    LaunchTable *table = ((Dispatcher *)self)->table;
    Py_ssize_t count = PyVectorcall_NARGS(flagged);
    answer end = PYTHON_WAY;
    PyObject *returned = NULL;
    if (keywords != NULL && PyTuple_GET_SIZE(keywords) == 0) keywords = NULL;
    if (table != NULL) {
        Py_INCREF(table);
        end = call_known(table, values, count, keywords, NULL, &returned);
        PyObject *other = take_other(table, end);
        if (other != NULL) {
            returned = PyObject_Vectorcall(other, values, flagged, keywords);
            Py_DECREF(other);
            end = DONE;
        }
        Py_DECREF(table);
    }
    if (end == DONE) return returned;
    PyObject *refusal = take_refusal(end);
    PyObject *args = PyTuple_New(count);
    PyObject *kwargs = args != NULL ? PyDict_New() : NULL;
    if (kwargs == NULL) goto done;
    for (Py_ssize_t number = 0; number < count; number++) {
        Py_INCREF(values[number]);
        PyTuple_SET_ITEM(args, number, values[number]);
    }
    if (keywords != NULL)
        for (Py_ssize_t number = 0; number < PyTuple_GET_SIZE(keywords); number++)
            if (PyDict_SetItem(kwargs, PyTuple_GET_ITEM(keywords, number), values[count + number]) < 0) goto done;
    returned = call_python(self, end, args, kwargs, refusal);
done:
    Py_XDECREF(refusal);
    Py_XDECREF(args);
    Py_XDECREF(kwargs);
    return returned;
}

static PyObject *dispatcher_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args;
    (void)kwargs;
    Dispatcher *self = (Dispatcher *)type->tp_alloc(type, 0);
    if (self != NULL) self->vectorcall = dispatcher_vectorcall;
    return (PyObject *)self;
}

static int dispatcher_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((Dispatcher *)self)->table);
    return 0;
}

static int dispatcher_clear(PyObject *self)
{
    Py_CLEAR(((Dispatcher *)self)->table);
    return 0;
}

static void dispatcher_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    dispatcher_clear(self);
    Py_TYPE(self)->tp_free(self);
}

static PyTypeObject LaunchTable_Type;

static PyObject *dispatcher_get_table(PyObject *self, void *unused)
{
    (void)unused;
    PyObject *table = (PyObject *)((Dispatcher *)self)->table;
    return Py_NewRef(table != NULL ? table : Py_None);
}

static int dispatcher_set_table(PyObject *self, PyObject *value, void *unused)
{
    (void)unused;
    if (value != NULL && value != Py_None && !Py_IS_TYPE(value, &LaunchTable_Type)) {
        PyErr_SetString(PyExc_TypeError, "not a LaunchTable");
        return -1;
    }
    LaunchTable *table = value == Py_None ? NULL : (LaunchTable *)Py_XNewRef(value);
    Py_XSETREF(((Dispatcher *)self)->table, table);
    return 0;
}

static PyTypeObject Dispatcher_Type;

/* Before 3.12 a class written in Python does not take vectorcall over from its base: each call makes a tuple, 40 ns. */
static PyObject *dispatcher_init_subclass(PyObject *object, PyObject *args, PyObject *kwargs)
{
    PyTypeObject *type = (PyTypeObject *)object;
    PyObject *next = PyObject_CallFunctionObjArgs((PyObject *)&PySuper_Type, &Dispatcher_Type, type, NULL);
    PyObject *method = next != NULL ? PyObject_GetAttrString(next, "__init_subclass__") : NULL;
    PyObject *returned = method != NULL ? PyObject_Call(method, args, kwargs) : NULL;
    Py_XDECREF(next);
    Py_XDECREF(method);
    if (returned != NULL && type->tp_call == dispatcher_call) type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
    return returned;
}

static PyMethodDef dispatcher_methods[] = {
    {"__init_subclass__", (PyCFunction)(void (*)(void))dispatcher_init_subclass,
     METH_VARARGS | METH_KEYWORDS | METH_CLASS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef dispatcher_attributes[] = {
    {"_table", dispatcher_get_table, dispatcher_set_table, "The launches that are known, or None.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject Dispatcher_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "pyfuse.backend.cpu._dispatcher.Dispatcher",
    .tp_doc = "A callable that runs known launches itself; other calls go to _call_in_python, _report\n"
              "and _refuse of a subclass.",
    .tp_basicsize = sizeof(Dispatcher),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(Dispatcher, vectorcall),
    .tp_call = dispatcher_call,
    .tp_new = dispatcher_new,
    .tp_traverse = dispatcher_traverse,
    .tp_clear = dispatcher_clear,
    .tp_dealloc = dispatcher_dealloc,
    .tp_methods = dispatcher_methods,
    .tp_getset = dispatcher_attributes,
};

/* ---- What is remembered: made by Python ---- */

static int refuse(const char *why)
{
    PyErr_SetString(PyExc_ValueError, why);
    return -1;
}

/* Memory for `count` records, zeroed; never NULL for none. */
static void *records(Py_ssize_t count, size_t size) { return PyMem_Calloc(count > 0 ? (size_t)count : 1, size); }

static int read_form(PyObject *argument, form *into)
{
    PyTypeObject *kind = Py_TYPE(argument);
    if (kind == &PyTuple_Type || kind == &PyList_Type || kind == &PyDict_Type || kind == &PyBytes_Type)
        return refuse("a container among the arguments");
    into->kind = (PyTypeObject *)Py_NewRef(kind);
    if (kind == &PyUnicode_Type) into->text = Py_NewRef(argument);
    if (kind != &PyArray_Type) return 0;
    PyArrayObject *array = (PyArrayObject *)argument;
    int ndim = PyArray_NDIM(array);
    into->sizes = records(2 * ndim, sizeof *into->sizes);
    if (into->sizes == NULL) return PyErr_NoMemory(), -1;
    into->high = PyArray_ITEMSIZE(array);
    for (int axis = 0; axis < ndim; axis++) {
        const npy_intp reach = (PyArray_DIM(array, axis) - 1) * PyArray_STRIDE(array, axis);
        into->sizes[axis] = PyArray_DIM(array, axis);
        into->sizes[ndim + axis] = PyArray_STRIDE(array, axis);
        *(reach > 0 ? &into->high : &into->low) += reach;
    }
    into->ndim = ndim;
    into->is_aligned = PyArray_CHKFLAGS(array, NPY_ARRAY_ALIGNED);
    into->dtype = (PyArray_Descr *)Py_NewRef((PyObject *)PyArray_DESCR(array));
    return 0;
}

static npy_intp *read_sizes(PyObject *tuple)
{
    Py_ssize_t count = PyTuple_GET_SIZE(tuple);
    npy_intp *sizes = records(count, sizeof *sizes);
    if (sizes == NULL) return (npy_intp *)PyErr_NoMemory();
    for (Py_ssize_t number = 0; number < count; number++) {
        sizes[number] = PyLong_AsSsize_t(PyTuple_GET_ITEM(tuple, number));
        if (sizes[number] < 0) {
            if (!PyErr_Occurred()) refuse("a negative extent or axis");
            PyMem_Free(sizes);
            return NULL;
        }
    }
    return sizes;
}

/* (dtype, shape, is_fortran, inverse or None): see known_launch.py */
static int read_output(PyObject *description, output *into)
{
    PyObject *dtype, *shape, *inverse;
    if (!PyArg_ParseTuple(description, "O!O!pO", &PyArrayDescr_Type, &dtype, &PyTuple_Type, &shape, &into->is_fortran,
                          &inverse))
        return -1;
    if (PyTuple_GET_SIZE(shape) > NPY_MAXDIMS) return refuse("too many dimensions");
    into->ndim = (int)PyTuple_GET_SIZE(shape);
    into->dtype = (PyArray_Descr *)Py_NewRef(dtype);
    into->shape = read_sizes(shape);
    if (into->shape == NULL) return -1;
    if (inverse == Py_None) return 0;
    if (!PyTuple_Check(inverse) || PyTuple_GET_SIZE(inverse) != into->ndim) return refuse("axes of another rank");
    into->inverse = read_sizes(inverse);
    return into->inverse == NULL ? -1 : 0;
}

/* An index below `limit`, or -1 with an exception. */
static int read_index(PyObject *number, Py_ssize_t limit)
{
    Py_ssize_t index = PyLong_AsSsize_t(number);
    if (index == -1 && PyErr_Occurred()) return -1;
    return index >= 0 && index < limit ? (int)index : refuse("an index out of range");
}

/* (place, dtype): see known_launch.py */
static int read_scalar(PyObject *description, PyObject *arguments, int computed_count, scalar *into)
{
    PyObject *place, *dtype;
    if (!PyArg_ParseTuple(description, "OO!", &place, &PyArrayDescr_Type, &dtype)) return -1;
    into->dtype = (PyArray_Descr *)Py_NewRef(dtype);
    if (PyBytes_CheckExact(place)) {
        if (PyBytes_GET_SIZE(place) != SCALAR_BYTES) return refuse("a number of another size");
        memcpy(into->packed, PyBytes_AS_STRING(place), SCALAR_BYTES);
        into->source = PACKED;
        return 0;
    }
    if (place == Py_None) {
        into->place = computed_count;
        into->source = COMPUTED;
        return 0;
    }
    into->place = read_index(place, PyTuple_GET_SIZE(arguments));
    if (into->place < 0) return -1;
    int source = source_of(PyTuple_GET_ITEM(arguments, into->place), into->dtype);
    if (source < 0) return refuse("a number that is packed by Python");
    into->source = (scalar_source)source;
    return 0;
}

#define EACH(tuple) (Py_ssize_t number = 0; number < PyTuple_GET_SIZE(tuple); number++)

/* The forms of computed arrays, and the extents behind them. */
static int read_computed(KnownLaunch *self, PyObject *arrays, PyObject *computed, Py_ssize_t array_count)
{
    if (arrays == Py_None) return 0;
    if (array_count < 0 || array_count > MOST_OPERANDS || PyTuple_GET_SIZE(computed) < array_count
        || PyTuple_GET_SIZE(computed) - array_count > MOST_ARGUMENTS)
        return refuse("too many computed arrays or extents");
    self->arrays = Py_NewRef(arrays);
    self->array_forms = records(array_count, sizeof *self->array_forms);
    self->extents = records(PyTuple_GET_SIZE(computed) - array_count, sizeof *self->extents);
    if (!self->array_forms || !self->extents) return PyErr_NoMemory(), -1;
    for EACH(computed) {
        PyObject *value = PyTuple_GET_ITEM(computed, number);
        if (number < array_count) {
            self->array_count++;
            if (read_form(value, &self->array_forms[number]) < 0) return -1;
            continue;
        }
        Py_ssize_t extent = PyNumber_AsSsize_t(value, NULL);
        if (extent == -1 && PyErr_Occurred()) return PyErr_Clear(), refuse("an extent that is no whole number");
        self->extents[self->extent_count++] = extent;
    }
    return 0;
}

static int read_operands(KnownLaunch *self, PyObject *arguments, PyObject *inputs, PyObject *offsets, PyObject *scalars,
                         PyObject *outputs, PyObject *temporaries)
{
    Py_ssize_t operands = PyTuple_GET_SIZE(inputs) + PyTuple_GET_SIZE(outputs) + PyTuple_GET_SIZE(temporaries);
    if (PyTuple_GET_SIZE(arguments) > MOST_ARGUMENTS || operands > MOST_OPERANDS || PyTuple_GET_SIZE(scalars) > MOST_SCALARS
        || PyTuple_GET_SIZE(outputs) > MOST_OUTPUTS)
        return refuse("too many arguments or outputs");
    if (PyTuple_GET_SIZE(offsets) != PyTuple_GET_SIZE(inputs)) return refuse("not one offset for each input");
    if (operands != self->launch.operand_count) return refuse("a launch of another number of operands");
    self->forms = records(PyTuple_GET_SIZE(arguments), sizeof *self->forms);
    self->inputs = records(PyTuple_GET_SIZE(inputs), sizeof *self->inputs);
    self->offsets = records(PyTuple_GET_SIZE(inputs), sizeof *self->offsets);
    self->scalars = records(PyTuple_GET_SIZE(scalars), sizeof *self->scalars);
    self->outputs = records(PyTuple_GET_SIZE(outputs), sizeof *self->outputs);
    self->temporaries = records(PyTuple_GET_SIZE(temporaries), sizeof *self->temporaries);
    if (!self->forms || !self->inputs || !self->offsets || !self->scalars || !self->outputs || !self->temporaries)
        return PyErr_NoMemory(), -1;
    for EACH(arguments) {
        self->argument_count++;
        if (read_form(PyTuple_GET_ITEM(arguments, number), &self->forms[number]) < 0) return -1;
    }
    for EACH(inputs) {
        const form *forms = self->arrays != NULL ? self->array_forms : self->forms;
        int index = read_index(PyTuple_GET_ITEM(inputs, number),
                               self->arrays != NULL ? self->array_count : self->argument_count);
        if (index < 0) return -1;
        if (forms[index].dtype == NULL) return refuse("an input that is no array");
        if (self->arrays != NULL && index != number) return refuse("computed inputs in another order");
        self->offsets[self->input_count] = PyLong_AsSsize_t(PyTuple_GET_ITEM(offsets, number));
        if (PyErr_Occurred()) return -1;
        self->inputs[self->input_count++] = index;
    }
    int computed_count = 0;
    for EACH(scalars) {
        scalar *one = &self->scalars[self->scalar_count++];
        if (read_scalar(PyTuple_GET_ITEM(scalars, number), arguments, computed_count, one) < 0) return -1;
        computed_count += one->source == COMPUTED;
    }
    if (computed_count > 0 && self->numbers == NULL) return refuse("nothing computes the numbers");
    for EACH(outputs)
        if (read_output(PyTuple_GET_ITEM(outputs, number), &self->outputs[self->output_count++]) < 0) return -1;
    for EACH(temporaries) {
        output *temporary = &self->temporaries[self->temporary_count++];
        temporary->shares = -1;
        if (PyLong_CheckExact(PyTuple_GET_ITEM(temporaries, number))) {
            temporary->shares = read_index(PyTuple_GET_ITEM(temporaries, number), self->output_count + number);
            if (temporary->shares < 0) return -1;
            continue;
        }
        if (read_output(PyTuple_GET_ITEM(temporaries, number), temporary) < 0) return -1;
        if (temporary->ndim != 1) return refuse("a temporary of several dimensions");
    }
    return 0;
}

static int read_results(KnownLaunch *self, PyObject *results, PyObject *items, PyObject *container)
{
    if (self->finish != NULL) return 0;
    if (PyTuple_GET_SIZE(results) > MOST_OUTPUTS || PyTuple_GET_SIZE(results) < 1) return refuse("no or too many results");
    self->results = records(PyTuple_GET_SIZE(results), sizeof *self->results);
    self->items = records(PyTuple_GET_SIZE(items), sizeof *self->items);
    if (!self->results || !self->items) return PyErr_NoMemory(), -1;
    for EACH(results) {
        PyObject *index;
        result *one = &self->results[self->result_count++];
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(results, number), "Oi", &index, &one->kind)) return -1;
        one->output = read_index(index, self->output_count);
        if (one->output < 0) return -1;
        if (one->kind != AS_ARRAY && self->outputs[one->output].ndim != 0) return refuse("a scalar of some dimensions");
    }
    for EACH(items) {
        int index = read_index(PyTuple_GET_ITEM(items, number), self->result_count);
        if (index < 0) return -1;
        self->items[self->item_count++] = index;
    }
    if (container == Py_None) return 0;
    if (container != (PyObject *)&PyTuple_Type && container != (PyObject *)&PyList_Type)
        return refuse("a result of an unknown kind");
    self->container = (PyTypeObject *)Py_NewRef(container);
    return 0;
}

/* Whether an output that is stored lies as the argument that it is stored into: its bytes are copied then. */
static int lies_as(const output *made, const form *target)
{
    npy_intp stride = PyDataType_ELSIZE(made->dtype);
    if (target->dtype == NULL || !is_same_dtype(made->dtype, target->dtype) || made->ndim != target->ndim
        || made->inverse != NULL || !PyArray_ISNBO(target->dtype->byteorder))
        return 0;
    for (int number = 0; number < made->ndim; number++) {
        int axis = made->is_fortran ? number : made->ndim - 1 - number;
        if (made->shape[axis] != target->sizes[axis] || target->sizes[made->ndim + axis] != stride) return 0;
        stride *= made->shape[axis];
    }
    return 1;
}

/* Places in the scratch for outputs that need no arrays: all that are stored, or numbers that no result is an array of. */
static void plan_scratch(KnownLaunch *self)
{
    npy_intp used = 0;
    const int is_stored = self->store_count > 0;
    for (int number = 0; number < self->output_count; number++) {
        output *one = &self->outputs[number];
        one->scratch = -1;
        int is_plain = PyTypeNum_ISNUMBER(one->dtype->type_num) || PyTypeNum_ISBOOL(one->dtype->type_num);
        if (!is_plain || !PyArray_ISNBO(one->dtype->byteorder)) continue;
        if (is_stored ? !lies_as(one, &self->forms[self->stores[number]]) : one->ndim != 0) continue;
        npy_intp bytes = bytes_of(one->dtype, one->ndim, one->shape);
        if (bytes < 0 || bytes > SCRATCH_BYTES - used) continue;
        one->scratch = (int)used;
        used += (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    }
    for (int number = 0; !is_stored && number < self->result_count; number++) {
        output *one = &self->outputs[self->results[number].output];
        int kind = self->results[number].kind;
        if (kind == AS_ARRAY || (kind == AS_NUMBER && one->dtype->type_num != NPY_DOUBLE)) one->scratch = -1;
    }
    int count = 0;
    for (int number = 0; number < self->output_count; number++) count += self->outputs[number].scratch >= 0;
    if (is_stored) self->uses_scratch = !self->is_in_place && count == self->output_count;
    else self->uses_scratch = self->finish == NULL && count > 0;
}

/* Whether an object is none, or anything but an Evaluation of calls with other arguments. */
static int is_of_this_call(const KnownLaunch *self, PyObject *object)
{
    return Py_TYPE(object) != &Evaluation_Type || evaluation_argument_count(object) == self->argument_count;
}

static int read_facts(KnownLaunch *self, PyObject *facts, PyObject *rest, PyObject *holds)
{
    if (holds != Py_None) self->holds = Py_NewRef(holds);
    if (rest != Py_None && Py_TYPE(rest) != &Evaluation_Type) return refuse("a rest that is no Evaluation");
    if (!is_of_this_call(self, rest) || (self->numbers != NULL && !is_of_this_call(self, self->numbers))
        || (self->arrays != NULL && !is_of_this_call(self, self->arrays)))
        return refuse("an Evaluation of other arguments");
    if (rest != Py_None) self->rest = Py_NewRef(rest);
    if (facts == Py_None) return 0;
    if (!PyTuple_Check(facts)) return refuse("facts are a tuple or None");
    self->facts = records(PyTuple_GET_SIZE(facts), sizeof *self->facts);
    if (!self->facts) return PyErr_NoMemory(), -1;
    for EACH(facts)
        if (read_fact(PyTuple_GET_ITEM(facts, number), &self->facts[self->fact_count++]) < 0) return -1;
    return 0;
}

/* (of each output the argument, what is returned): see known_launch.py */
static int read_stores(KnownLaunch *self, PyObject *stores, PyObject *returned, PyObject *left)
{
    self->returned = -1;
    if (PyTuple_GET_SIZE(stores) == 0) return 0;
    if (PyTuple_GET_SIZE(stores) != self->output_count || self->finish == NULL || self->arrays != NULL)
        return refuse("not one store for each output");
    self->stores = records(self->output_count, sizeof *self->stores);
    if (self->stores == NULL) return PyErr_NoMemory(), -1;
    for EACH(stores) {
        int index = read_index(PyTuple_GET_ITEM(stores, number), self->argument_count);
        if (index < 0) return -1;
        const form *target = &self->forms[index];
        const output *made = &self->outputs[number];
        npy_intp elements = PyArray_MultiplyList(made->shape, made->ndim);
        if (target->dtype == NULL || !is_same_dtype(target->dtype, made->dtype) || target->ndim != made->ndim
            || PyArray_MultiplyList(target->sizes, target->ndim) != elements)
            return refuse("a store into an array of another form");
        self->stores[self->store_count++] = index;
    }
    if (PyLong_CheckExact(returned)) {
        self->returned = read_index(returned, self->argument_count);
        if (self->returned < 0) return -1;
    } else {
        PyObject *value;
        if (!PyArg_ParseTuple(returned, "O", &value)) return -1;
        self->returned_object = Py_NewRef(value);
    }
    if (left == Py_None) return 0;
    const output *record = self->temporary_count > 0 ? &self->temporaries[self->temporary_count - 1] : NULL;
    if (record == NULL || record->shares >= 0 || record->shape[0] < 2) return refuse("no record");
    self->left = Py_NewRef(left);
    self->is_in_place = 1;
    return 0;
}

static PyObject *known_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *words[] = {"code", "names", "positional_only", "arguments", "thread_limit", "start", "launch", "keeper",
                            "inputs", "offsets", "scalars", "outputs", "temporaries", "results", "items", "container", "facts",
                            "rest", "holds", "numbers", "arrays", "computed", "array_count", "finish", "replay_bits",
                            "is_tiled", "is_long", "stores", "returned", "left", NULL};
    PyObject *code, *names, *arguments, *keeper, *inputs, *offsets, *scalars, *outputs, *temporaries, *results, *items, *container;
    PyObject *facts, *rest, *holds, *numbers, *arrays, *computed, *finish, *stores, *returned, *left;
    Py_ssize_t positional_only, array_count;
    long thread_limit;
    unsigned long long start, launch;
    unsigned replay_bits;
    int is_tiled, is_long;
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "$O!O!nO!lKKOO!O!O!O!O!O!O!OOOOOOO!nOIppO!OO:KnownLaunch", words, &PyCode_Type, &code, &PyTuple_Type, &names,
            &positional_only, &PyTuple_Type, &arguments, &thread_limit, &start, &launch, &keeper, &PyTuple_Type, &inputs,
            &PyTuple_Type, &offsets, &PyTuple_Type, &scalars, &PyTuple_Type, &outputs, &PyTuple_Type, &temporaries, &PyTuple_Type, &results,
            &PyTuple_Type, &items, &container, &facts, &rest, &holds, &numbers, &arrays, &PyTuple_Type,
            &computed, &array_count, &finish, &replay_bits, &is_tiled, &is_long,
            &PyTuple_Type, &stores, &returned, &left))
        return NULL;
    if (start == 0 || launch == 0) return refuse("no address"), NULL;
    if (PyTuple_GET_SIZE(names) != PyTuple_GET_SIZE(arguments)) return refuse("arguments that are not bound"), NULL;
    KnownLaunch *self = (KnownLaunch *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->code = Py_NewRef(code);
    self->names = Py_NewRef(names);
    self->keeper = Py_NewRef(keeper);
    if (numbers != Py_None) self->numbers = Py_NewRef(numbers);
    if (finish != Py_None) self->finish = Py_NewRef(finish);
    self->positional_only = positional_only;
    self->thread_limit = thread_limit;
    self->replay_bits = replay_bits;
    self->is_tiled = is_tiled;
    self->is_long = is_long;
    self->start = (pf_launch_function)(uintptr_t)start;
    self->launch = *(const pf_launch *)(uintptr_t)launch;
    self->launch.data_offset = -1;
    if (read_computed(self, arrays, computed, array_count) < 0
        || read_operands(self, arguments, inputs, offsets, scalars, outputs, temporaries) < 0
        || read_stores(self, stores, returned, left) < 0 || read_results(self, results, items, container) < 0 || read_facts(self, facts, rest, holds) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    plan_scratch(self);
    return (PyObject *)self;
}

static int known_traverse(PyObject *object, visitproc visit, void *arg)
{
    KnownLaunch *self = (KnownLaunch *)object;
    Py_VISIT(self->code);
    Py_VISIT(self->names);
    Py_VISIT(self->holds);
    Py_VISIT(self->rest);
    Py_VISIT(self->numbers);
    Py_VISIT(self->arrays);
    Py_VISIT(self->finish);
    Py_VISIT(self->left);
    Py_VISIT(self->returned_object);
    Py_VISIT(self->keeper);
    Py_VISIT(self->container);
    for (int number = 0; number < self->argument_count; number++) {
        Py_VISIT(self->forms[number].kind);
        Py_VISIT(self->forms[number].dtype);
    }
    return visit_facts(self->facts, self->fact_count, visit, arg);
}

/* Only what can be part of a cycle and is not looked at without a check. */
static int known_clear(PyObject *object)
{
    KnownLaunch *self = (KnownLaunch *)object;
    clear_facts(self->facts, self->fact_count);
    self->fact_count = 0;
    self->thread_limit = -1; /* no call finds it from here on */
    PyMem_Free(self->facts);
    self->facts = NULL;
    Py_CLEAR(self->holds);
    Py_CLEAR(self->rest);
    Py_CLEAR(self->numbers);
    Py_CLEAR(self->arrays);
    Py_CLEAR(self->finish);
    Py_CLEAR(self->left);
    Py_CLEAR(self->keeper);
    return 0;
}

static void free_forms(form *forms, int count)
{
    for (int number = 0; number < count; number++) {
        Py_XDECREF(forms[number].kind);
        Py_XDECREF(forms[number].text);
        Py_XDECREF(forms[number].dtype);
        PyMem_Free(forms[number].sizes);
    }
    PyMem_Free(forms);
}

static void free_outputs(output *outputs, int count)
{
    for (int number = 0; number < count; number++) {
        Py_XDECREF((PyObject *)outputs[number].dtype);
        PyMem_Free(outputs[number].shape);
        PyMem_Free(outputs[number].inverse);
    }
    PyMem_Free(outputs);
}

static void known_dealloc(PyObject *object)
{
    KnownLaunch *self = (KnownLaunch *)object;
    PyObject_GC_UnTrack(object);
    known_clear(object);
    free_forms(self->forms, self->argument_count);
    free_forms(self->array_forms, self->array_count);
    PyMem_Free(self->extents);
    PyMem_Free(self->inputs);
    PyMem_Free(self->offsets);
    for (int number = 0; number < self->scalar_count; number++) Py_XDECREF(self->scalars[number].dtype);
    PyMem_Free(self->scalars);
    free_outputs(self->outputs, self->output_count);
    free_outputs(self->temporaries, self->temporary_count);
    PyMem_Free(self->results);
    PyMem_Free(self->items);
    PyMem_Free(self->stores);
    Py_XDECREF(self->returned_object);
    Py_XDECREF(self->left);
    Py_XDECREF(self->container);
    Py_XDECREF(self->names);
    Py_XDECREF(self->code);
    Py_TYPE(object)->tp_free(object);
}

static PyMemberDef known_members[] = {
    {"calls", T_INT, offsetof(KnownLaunch, calls), 0, "How many were answered here before the trial."},
    {"is_put_off", T_INT, offsetof(KnownLaunch, is_put_off), 0, "Whether the trial has been put off."},
    {"is_tried", T_INT, offsetof(KnownLaunch, is_tried), 0, "Whether it has been timed against the original."},
    {"prefers_plain", T_INT, offsetof(KnownLaunch, prefers_plain), 0, "Whether the original is to answer."},
    {NULL, 0, 0, 0, NULL},
};

static PyTypeObject KnownLaunch_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "pyfuse.backend.cpu._dispatcher.KnownLaunch",
    .tp_doc = "A launch with the form of the calls that it is for. ValueError: such calls must go the Python way.",
    .tp_basicsize = sizeof(KnownLaunch),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = known_new,
    .tp_members = known_members,
    .tp_traverse = known_traverse,
    .tp_clear = known_clear,
    .tp_dealloc = known_dealloc,
};

/* ---- The table ---- */

static PyObject *table_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *function;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "O!:LaunchTable", &PyFunction_Type, &function)) return NULL;
    LaunchTable *self = (LaunchTable *)type->tp_alloc(type, 0);
    if (self != NULL) self->function = Py_NewRef(function);
    return (PyObject *)self;
}

static void table_forget(LaunchTable *self)
{
    KnownLaunch *known[MOST_REMEMBERED];
    int count = self->count;
    memcpy(known, self->known, (size_t)count * sizeof *known);
    self->count = 0;
    self->version++;
    for (int place = 0; place < count; place++) Py_DECREF(known[place]); /* may run code that finds an empty table */
}

static PyObject *table_forget_method(PyObject *self, PyObject *unused)
{
    (void)unused;
    table_forget((LaunchTable *)self);
    Py_RETURN_NONE;
}

/* What is remembered is of a function's code, whose parameters these are. */
static void table_be_of(LaunchTable *self, PyObject *code, PyObject *names, Py_ssize_t positional_only)
{
    if (self->code == code) return;
    table_forget(self);
    Py_CLEAR(self->others);
    self->positional_only = positional_only;
    Py_XSETREF(self->names, Py_NewRef(names));
    Py_XSETREF(self->code, Py_NewRef(code));
}

static PyObject *table_leave_others_to(PyObject *object, PyObject *args)
{
    LaunchTable *self = (LaunchTable *)object;
    PyObject *others, *code, *names;
    Py_ssize_t positional_only;
    if (!PyArg_ParseTuple(args, "OO!O!n:leave_others_to", &others, &PyCode_Type, &code, &PyTuple_Type, &names,
                          &positional_only))
        return NULL;
    if (PyTuple_GET_SIZE(names) > MOST_ARGUMENTS) return refuse("too many arguments"), NULL;
    table_be_of(self, code, names, positional_only);
    Py_XSETREF(self->others, others == Py_None ? NULL : Py_NewRef(others));
    Py_RETURN_NONE;
}

static PyObject *table_remember(PyObject *object, PyObject *value)
{
    LaunchTable *self = (LaunchTable *)object;
    if (!Py_IS_TYPE(value, &KnownLaunch_Type)) return PyErr_SetString(PyExc_TypeError, "not a KnownLaunch"), NULL;
    KnownLaunch *known = (KnownLaunch *)value;
    table_be_of(self, known->code, known->names, known->positional_only);
    for (int place = 0; place < self->count; place++)
        if (self->known[place] == known) {
            move_to_front(self, place);
            Py_RETURN_NONE;
        }
    KnownLaunch *oldest = NULL;
    if (self->count == MOST_REMEMBERED) oldest = self->known[--self->count];
    self->known[self->count++] = (KnownLaunch *)Py_NewRef(value);
    move_to_front(self, self->count - 1);
    Py_XDECREF(oldest);
    Py_RETURN_NONE;
}

static PyObject *table_get_fused(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLongLong(((LaunchTable *)self)->fused);
}

static int table_set_fused(PyObject *self, PyObject *value, void *unused)
{
    (void)unused;
    if (value == NULL) return PyErr_SetString(PyExc_AttributeError, "fused stays"), -1;
    long long fused = PyLong_AsLongLong(value);
    if (fused == -1 && PyErr_Occurred()) return -1;
    ((LaunchTable *)self)->fused = fused;
    return 0;
}

static PyObject *table_get_driver(PyObject *self, void *unused)
{
    (void)unused;
    PyObject *driver = ((LaunchTable *)self)->driver;
    return Py_NewRef(driver != NULL ? driver : Py_None);
}

static int table_set_driver(PyObject *object, PyObject *value, void *unused)
{
    (void)unused;
    LaunchTable *self = (LaunchTable *)object;
    if (value == Py_None) value = NULL;
    if (value != NULL && !PyFunction_Check(value)) return PyErr_SetString(PyExc_TypeError, "not a function"), -1;
    Py_XSETREF(self->driver_code, Py_XNewRef(value != NULL ? PyFunction_GetCode(self->function) : NULL));
    if (value != self->driver) self->driven = 0;
    Py_XSETREF(self->driver, Py_XNewRef(value));
    return 0;
}

static Py_ssize_t table_length(PyObject *self) { return ((LaunchTable *)self)->count; }

static int table_traverse(PyObject *object, visitproc visit, void *arg)
{
    LaunchTable *self = (LaunchTable *)object;
    Py_VISIT(self->function);
    Py_VISIT(self->code);
    Py_VISIT(self->names);
    Py_VISIT(self->others);
    Py_VISIT(self->driver);
    Py_VISIT(self->driver_code);
    for (int place = 0; place < self->count; place++) Py_VISIT(self->known[place]);
    return 0;
}

/* The function stays until the end: a call that is running may read it. It is in a cycle only with what is cleared. */
static int table_clear(PyObject *self)
{
    table_forget((LaunchTable *)self);
    Py_CLEAR(((LaunchTable *)self)->others);
    Py_CLEAR(((LaunchTable *)self)->driver);
    return 0;
}

static void table_dealloc(PyObject *object)
{
    LaunchTable *self = (LaunchTable *)object;
    PyObject_GC_UnTrack(object);
    table_forget(self);
    Py_XDECREF(self->others);
    Py_XDECREF(self->driver);
    Py_XDECREF(self->driver_code);
    Py_XDECREF(self->function);
    Py_XDECREF(self->code);
    Py_XDECREF(self->names);
    Py_TYPE(object)->tp_free(object);
}

static PyMethodDef table_methods[] = {
    {"remember", table_remember, METH_O, "Put a KnownLaunch first; beyond the limit the one used longest ago goes."},
    {"forget", table_forget_method, METH_NOARGS, "Forget every launch."},
    {"leave_others_to", table_leave_others_to, METH_VARARGS,
     "leave_others_to(callable or None, code, names, positional_only): what answers calls that no launch here is for."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef table_members[] = {
    {"tiled", T_LONGLONG, offsetof(LaunchTable, tiled), 0, "How many calls were answered here over tiles."},
    {"plain", T_LONGLONG, offsetof(LaunchTable, plain), 0, "How many calls the original answered here, being faster."},
    {"original", T_LONGLONG, offsetof(LaunchTable, original), 0, "How many the original did, being the driver."},
    {"partly", T_LONGLONG, offsetof(LaunchTable, partly), 0, "How many calls the driver answered here."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef table_attributes[] = {
    {"fused", table_get_fused, table_set_fused, "How many calls kernels answered here.", NULL},
    {"driver", table_get_driver, table_set_driver, "A function that answers calls of no known form, or None.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PySequenceMethods table_as_sequence = {.sq_length = table_length};

static PyTypeObject LaunchTable_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "pyfuse.backend.cpu._dispatcher.LaunchTable",
    .tp_doc = "The launches that are known of one function, and how often they ran.",
    .tp_basicsize = sizeof(LaunchTable),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = table_new,
    .tp_traverse = table_traverse,
    .tp_clear = table_clear,
    .tp_dealloc = table_dealloc,
    .tp_methods = table_methods,
    .tp_getset = table_attributes,
    .tp_members = table_members,
    .tp_as_sequence = &table_as_sequence,
};

/* ---- The module ---- */

static PyObject *configure(PyObject *module, PyObject *args)
{
    PyObject *override, *environment, *keys[VARIABLES], *read, *must_report, *refusal, *modes, *read_modes, *filters;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!(OOO)OOOOOO!:configure", &PyContextVar_Type, &override, &PyDict_Type, &environment,
                          &keys[0], &keys[1], &keys[2], &read, &must_report, &refusal, &modes, &read_modes, &PyDict_Type,
                          &filters))
        return NULL;
    if (watch_dictionary(environment) < 0) return NULL;
    known_settings.stamp = NO_STAMP;
    int has_modes = Py_IS_TYPE(modes, &PyContextVar_Type);
    Py_XSETREF(known_modes.variable, has_modes ? Py_NewRef(modes) : NULL);
    Py_XSETREF(known_modes.read, Py_NewRef(read_modes));
    Py_XSETREF(known_modes.filters, Py_NewRef(filters));
    Py_CLEAR(known_modes.seen);
    for (int number = 0; number < VARIABLES; number++) {
        Py_XSETREF(known_settings.keys[number], Py_NewRef(keys[number]));
        Py_CLEAR(known_settings.seen[number]);
    }
    Py_CLEAR(known_settings.usual.config);
    Py_CLEAR(known_settings.overridden.config);
    Py_XSETREF(known_settings.environment, Py_NewRef(environment));
    Py_XSETREF(known_settings.read, Py_NewRef(read));
    Py_XSETREF(known_settings.must_report, Py_NewRef(must_report));
    Py_XSETREF(known_settings.refusal, Py_NewRef(refusal));
    Py_XSETREF(known_settings.override, Py_NewRef(override));
    Py_RETURN_NONE;
}

static PyObject *empty(PyObject *module, PyObject *args)
{
    PyObject *shape, *array = NULL;
    PyArray_Descr *dtype;
    int is_fortran;
    long num_threads;
    npy_intp sizes[NPY_MAXDIMS];
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!p:empty", &PyTuple_Type, &shape, &PyArrayDescr_Type, &dtype, &is_fortran))
        return NULL;
    if (look_at_settings(&num_threads) < 0) return NULL;
    int ndim = PyArray_IntpFromSequence(shape, sizes, NPY_MAXDIMS);
    if (ndim >= 0) array = new_array(dtype, ndim, sizes, is_fortran);
    return array;
}

static PyObject *clear_pool(PyObject *module, PyObject *ignored)
{
    (void)module;
    (void)ignored;
    size_t bytes = pool_idle_bytes();
    pool_set_limit(0);
    return PyLong_FromSize_t(bytes);
}

static PyObject *pool_state(PyObject *module, PyObject *ignored)
{
    (void)module;
    (void)ignored;
    return Py_BuildValue("nK", (Py_ssize_t)pool_idle_bytes(), pool_reuses());
}

static PyMethodDef module_methods[] = {
    {"empty", empty, METH_VARARGS, "empty(shape, dtype, is_fortran): a new array, of the pool if it is large."},
    {"clear_pool", clear_pool, METH_NOARGS, "Give idle memory back to the system; how many bytes it was."},
    {"pool_state", pool_state, METH_NOARGS, "Idle bytes, and how often memory was handed out again."},
    {"configure", configure, METH_VARARGS,
     "configure(override, environment, keys, read, must_report, refusal, modes, read_modes, warnings): where the settings\n"
     "of a call are, and those of NumPy's reports."},
    {NULL, NULL, 0, NULL},
};

static int add_names(void)
{
    return (name_call = PyUnicode_InternFromString("_call_in_python")) && (name_report = PyUnicode_InternFromString("_report"))
           && (name_refuse = PyUnicode_InternFromString("_refuse"))
           && (name_num_threads = PyUnicode_InternFromString("num_threads"))
           && (name_disable = PyUnicode_InternFromString("disable")) && (name_verify = PyUnicode_InternFromString("verify"))
           && (name_pool_limit = PyUnicode_InternFromString("pool_limit"))
           && (name_filters = PyUnicode_InternFromString("filters")) && (name_error = PyUnicode_InternFromString("error"))
           && (name_default = PyUnicode_InternFromString("default"))
           && (name_ignore = PyUnicode_InternFromString("ignore"));
}

static int execute(PyObject *module)
{
#ifdef Py_GIL_DISABLED
    PyErr_SetString(PyExc_ImportError, "this extension relies on the GIL");
    return -1;
#endif
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError, "this extension is for the main interpreter");
        return -1;
    }
    if (PyArray_ImportNumPyAPI() < 0) return -1;
    if (!add_names()) return -1;
    if (pool_is_there() && (policy_capsule = PyCapsule_New(&policy, "mem_handler", NULL)) == NULL) return -1;
    if (PyModule_AddType(module, &Dispatcher_Type) < 0 || PyModule_AddType(module, &LaunchTable_Type) < 0
        || PyModule_AddType(module, &KnownLaunch_Type) < 0 || PyModule_AddType(module, &Evaluation_Type) < 0
        || add_tile_types(module) < 0)
        return -1;
    return PyModule_AddIntConstant(module, "INTERFACE", INTERFACE);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)execute},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED}, /* so that an import that is refused does not bring the GIL back */
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_dispatcher",
    .m_doc = "Calls of fused functions whose launch is known.",
    .m_methods = module_methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__dispatcher(void) { return PyModuleDef_Init(&definition); }
