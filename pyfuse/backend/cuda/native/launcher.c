/* Calls with arrays on a device whose launch is known: arguments are compared with the remembered forms, outputs come
   from their library's own allocator, numbers are packed, and the driver starts the kernel in the stream that the
   library uses. Whatever is not as it was goes the Python way (pyfuse/device_call.py), which also reports what fails.

   No header of CUDA or of an array library is needed: pyfuse/backend/cuda/launcher.py, which has a twin in Python, hands
   over the addresses of the driver's functions, and says by which attributes arrays are read.

   Built with the package where a C compiler is at hand. All state is guarded by the GIL. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../../cpu/native/facts.h"

enum { INTERFACE = 2 }; /* launcher.py refuses another: an old build may lie beside new sources */
enum { MOST_ARGUMENTS = 32, MOST_OPERANDS = 64, MOST_SCALARS = 32, SCALAR_BYTES = 16, MOST_GEOMETRY = 1024 };
enum { MOST_REMEMBERED = 64 };
enum { MOST_KEPT = 4 }; /* arrays of one maker that are handed out again once nobody else has them */

/* ---- DLPack's exchange of arrays in C (dlpack.h, version 1.3) ---- */

typedef struct {
    void *data;
    struct { int32_t type, number; } device;
    int32_t ndim;
    struct { uint8_t code, bits; uint16_t lanes; } dtype;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} dl_tensor;

typedef struct {
    uint32_t major, minor;
    void *previous, *allocate, *managed_from_object, *managed_to_object;
    int (*from_object)(void *object, dl_tensor *into);
    int (*current_stream)(int32_t type, int32_t number, void **stream);
} dl_exchange;

enum { DL_CUDA = 2 };

/* ---- The driver ---- */

typedef struct {
    int (*launch)(void *function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned shared,
                  void *stream, void **parameters, void **extra);
    int (*get_current)(void **context);
    int (*push)(void *context);
    int (*pop)(void **context);
    int (*record)(void *event, void *stream);
    int (*wait)(void *stream, void *event, unsigned flags);
} driver_calls;

/* ---- Records ---- */

typedef struct {
    int length;
    struct { PyObject *name; int is_call; } steps[4];
} path;

typedef struct {
    path from;
    PyObject *expected;
} look;

typedef struct {
    PyTypeObject *kind;
    dl_exchange *exchange; /* reads the form and address, or NULL */
    dl_tensor form;        /* as it was; shape and strides are ours */
    path address;
    int look_count;
    look *looks;
    uintptr_t alignment;   /* 0: not an array */
} argument;

typedef struct {
    PyObject *call, *args;
    PyObject *fill, *fill_args; /* called with what `call` made in front, or NULL */
    dl_exchange *exchange;
    path address;
    int look_count, owner_count; /* what an array that is handed out again must look like; no owners: none is kept */
    look *looks;
    path *owners; /* objects that only the array may hold, each only by way of the one before */
    int kept_count, next;
    struct { PyObject *array; void *stream; } kept[MOST_KEPT]; /* in which stream it was made */
} maker;

typedef struct {
    int place; /* an argument; -1: packed already; -2: computed */
    char kind;
    int size;
    char packed[SCALAR_BYTES];
} number;

typedef struct {
    void *function;
    unsigned grid[3], block[3];
    PyObject *geometry; /* bytes */
} start;

typedef struct {
    int argument;
    int64_t offset; /* bytes behind its first element */
} input;

typedef enum { NO_STREAM, STREAM_FUNCTION, STREAM_EXCHANGE, STREAM_CALL } stream_source;

typedef struct {
    PyObject_HEAD
    int argument_count, input_count, number_count, buffer_count, output_count, start_count, fact_count, item_count;
    argument *arguments;
    input *inputs;
    number *numbers;
    maker *buffers; /* outputs, then temporaries */
    start *starts;
    fact *facts;
    int has_facts;
    PyObject *holds, *compute, *finish, *keeper;
    int *items; /* of a tuple that is the result; NULL: the one output, or what `finish` makes */
    driver_calls driver;
    void *context;
    int is_first_device;
    stream_source source;
    intptr_t (*stream_function)(int);
    dl_exchange *stream_exchange;
    PyObject *stream_call, *stream_args;
    path stream_path;
    int ordinal;
    int has_own_stream, is_busy, is_cleared;
    void *own_stream, *event;
} DeviceLaunch;

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    unsigned long version; /* moves with every change of `known` */
    int count;
    DeviceLaunch *known[MOST_REMEMBERED]; /* most recently used first */
} DeviceTable;

static PyTypeObject DeviceLaunch_Type, DeviceTable_Type;

/* ---- Looking at arrays ---- */

/* A new reference to what stands at the end of a path, or NULL with an exception. */
static PyObject *follow(const path *way, PyObject *object)
{
    PyObject *found = Py_NewRef(object);
    for (int number = 0; found != NULL && number < way->length; number++) {
        PyObject *name = way->steps[number].name;
        PyObject *next = way->steps[number].is_call ? PyObject_CallMethodNoArgs(found, name) : PyObject_GetAttr(found, name);
        Py_DECREF(found);
        found = next;
    }
    return found;
}

/* 0 with an exception where there is no such address. */
static int address_at(const path *way, PyObject *array, uint64_t *address)
{
    PyObject *found = follow(way, array);
    if (found == NULL) return 0;
    PyObject *whole = PyLong_CheckExact(found) ? Py_NewRef(found) : PyNumber_Long(found);
    Py_DECREF(found);
    if (whole == NULL) return 0;
    *address = PyLong_AsUnsignedLongLong(whole);
    Py_DECREF(whole);
    return !(*address == (uint64_t)-1 && PyErr_Occurred());
}

static int address_by(dl_exchange *exchange, const path *way, PyObject *array, uint64_t *address)
{
    dl_tensor now;
    if (exchange == NULL) return address_at(way, array, address);
    if (exchange->from_object(array, &now) != 0) return 0;
    *address = (uint64_t)(uintptr_t)now.data + now.byte_offset;
    return 1;
}

static int is_same_tensor(const dl_tensor *now, const dl_tensor *then)
{
    size_t bytes = (size_t)then->ndim * sizeof(int64_t);
    return now->ndim == then->ndim && now->device.type == then->device.type && now->device.number == then->device.number
           && memcmp(&now->dtype, &then->dtype, sizeof then->dtype) == 0
           && (bytes == 0
               || (now->strides != NULL && memcmp(now->shape, then->shape, bytes) == 0
                   && memcmp(now->strides, then->strides, bytes) == 0));
}

/* Whether what is looked at is as it was; 0 perhaps with an exception. May run Python code. */
static int looks_like(const look *looks, int count, PyObject *value)
{
    for (int number = 0; number < count; number++) {
        PyObject *found = follow(&looks[number].from, value);
        if (found == NULL) return 0;
        int is_equal = found == looks[number].expected ? 1 : PyObject_RichCompareBool(found, looks[number].expected, Py_EQ);
        Py_DECREF(found);
        if (is_equal <= 0) return 0;
    }
    return 1;
}

/* Whether an argument has the form, and its address; 0 perhaps with an exception. May run Python code. */
static int has_form(const argument *wanted, PyObject *value, uint64_t *address)
{
    if (Py_TYPE(value) != wanted->kind) return 0;
    if (wanted->alignment == 0) return 1;
    if (wanted->exchange != NULL) {
        dl_tensor now;
        if (wanted->exchange->from_object(value, &now) != 0 || !is_same_tensor(&now, &wanted->form)) return 0;
        *address = (uint64_t)(uintptr_t)now.data + now.byte_offset;
    }
    if (!looks_like(wanted->looks, wanted->look_count, value)) return 0;
    if (wanted->exchange == NULL && !address_at(&wanted->address, value, address)) return 0;
    return *address % wanted->alignment == 0;
}

static PyObject *tuple_of(PyObject *const *values, int count)
{
    PyObject *tuple = PyTuple_New(count);
    for (int number = 0; tuple != NULL && number < count; number++)
        PyTuple_SET_ITEM(tuple, number, Py_NewRef(values[number]));
    return tuple;
}

static PyObject *ask(PyObject *function, PyObject *const *arguments, int count)
{
    PyObject *tuple = tuple_of(arguments, count);
    PyObject *answer = tuple != NULL ? PyObject_CallOneArg(function, tuple) : NULL;
    Py_XDECREF(tuple);
    return answer;
}

/* 1: the launch is for this call. 0: it is not, perhaps with an exception. */
static int suits(const DeviceLaunch *launch, PyObject *const *values, uint64_t *addresses)
{
    for (int number = 0; number < launch->argument_count; number++)
        if (!has_form(&launch->arguments[number], values[number], &addresses[number])) return 0;
    if (launch->holds == NULL) return 1;
    if (launch->has_facts && are_facts_as_they_were(launch->facts, launch->fact_count)) return 1;
    PyObject *answer = ask(launch->holds, values, launch->argument_count);
    int holds = answer != NULL && PyObject_IsTrue(answer) > 0;
    Py_XDECREF(answer);
    return holds;
}

/* ---- Numbers ---- */

static int pack_whole(char kind, int size, PyObject *value, char *slot)
{
    PyObject *whole = PyNumber_Index(value);
    if (whole == NULL) return 0;
    int fits;
    if (kind == 'u') {
        uint64_t bits = PyLong_AsUnsignedLongLong(whole);
        fits = !PyErr_Occurred() && (size == 8 || bits >> (8 * size) == 0);
        memcpy(slot, &bits, (size_t)size); /* the low bytes: little-endian, as everything here */
    } else {
        int64_t bits = PyLong_AsLongLong(whole), limit = size == 8 ? 0 : 1LL << (8 * size - 1);
        fits = !PyErr_Occurred() && (size == 8 || (bits >= -limit && bits < limit));
        memcpy(slot, &bits, (size_t)size);
    }
    Py_DECREF(whole);
    return fits;
}

static int pack_float(int size, double value, char *slot)
{
    switch (size) {
    case 2: return PyFloat_Pack2(value, slot, 1) == 0;
    case 4: return PyFloat_Pack4(value, slot, 1) == 0;
    default: memcpy(slot, &value, sizeof value); return 1;
    }
}

/* As struct.pack in launch.py; 0 perhaps with an exception: it does not fit, and Python says so. */
static int pack(const number *wanted, PyObject *value, char *slot)
{
    double real;
    switch (wanted->kind) {
    case 'f':
        real = PyFloat_AsDouble(value);
        return !(real == -1.0 && PyErr_Occurred()) && pack_float(wanted->size, real, slot);
    case 'c': {
        Py_complex both = PyComplex_AsCComplex(value);
        int size = wanted->size / 2;
        return !PyErr_Occurred() && pack_float(size, both.real, slot) && pack_float(size, both.imag, slot + size);
    }
    case 'b': {
        int truth = PyObject_IsTrue(value);
        slot[0] = truth > 0;
        return truth >= 0;
    }
    default: return pack_whole(wanted->kind, wanted->size, value, slot);
    }
}

static int pack_all(const DeviceLaunch *launch, PyObject *const *values, char *slots)
{
    PyObject *computed = NULL;
    Py_ssize_t used = 0;
    int fits = 1;
    if (launch->compute != NULL) {
        computed = ask(launch->compute, values, launch->argument_count);
        if (computed == NULL) return 0;
        fits = PyList_CheckExact(computed);
    }
    for (int at = 0; fits && at < launch->number_count; at++) {
        const number *one = &launch->numbers[at];
        char *slot = slots + (size_t)at * SCALAR_BYTES;
        memcpy(slot, one->packed, SCALAR_BYTES);
        if (one->place >= 0) fits = pack(one, values[one->place], slot);
        if (one->place == -2) fits = used < PyList_GET_SIZE(computed) && pack(one, PyList_GET_ITEM(computed, used++), slot);
    }
    Py_XDECREF(computed);
    return fits;
}

/* ---- Outputs ---- */

/* Whether nothing but a maker has an array, or its memory, and nobody waits for its end. */
static int is_nobodys(const maker *one, PyObject *array)
{
    Py_ssize_t offset = Py_TYPE(array)->tp_weaklistoffset;
    if (Py_REFCNT(array) != 1 || (offset != 0 && *(PyObject **)((char *)array + offset) != NULL)) return 0;
    for (int number = 0; number < one->owner_count; number++) {
        PyObject *owner = follow(&one->owners[number], array);
        int is_alone = owner != NULL && Py_REFCNT(owner) == 2; /* that of its holder, and ours */
        Py_XDECREF(owner);
        if (!is_alone) return PyErr_Clear(), 0;
    }
    return 1;
}

/* An array that was handed out in this stream before, as a library's own pool would do it; or NULL. */
static PyObject *take_kept(const maker *one, void *stream)
{
    for (int place = 0; place < one->kept_count; place++) {
        PyObject *array = one->kept[place].array;
        if (one->kept[place].stream != stream || !is_nobodys(one, array)) continue;
        Py_INCREF(array);
        if (looks_like(one->looks, one->look_count, array) && Py_REFCNT(array) == 2) return array;
        PyErr_Clear();
        Py_DECREF(array);
    }
    return NULL;
}

static void keep(maker *one, PyObject *array, void *stream)
{
    int place = one->kept_count < MOST_KEPT ? one->kept_count++ : one->next++ % MOST_KEPT;
    one->kept[place].stream = stream;
    Py_XSETREF(one->kept[place].array, Py_NewRef(array));
}

static PyObject *make_new(const maker *one)
{
    PyObject *made = PyObject_Call(one->call, one->args, NULL);
    if (made == NULL || one->fill == NULL) return made;
    PyObject *given[8] = {made};
    Py_ssize_t count = PyTuple_GET_SIZE(one->fill_args);
    for (Py_ssize_t place = 0; place < count; place++) given[place + 1] = PyTuple_GET_ITEM(one->fill_args, place);
    PyObject *nothing = PyObject_Vectorcall(one->fill, given, (size_t)count + 1, NULL);
    if (nothing == NULL) Py_CLEAR(made);
    Py_XDECREF(nothing);
    return made;
}

static PyObject *make(maker *one, void *stream)
{
    if (one->owner_count == 0) return make_new(one);
    PyObject *made = take_kept(one, stream);
    if (made != NULL) return made;
    made = make_new(one);
    if (made != NULL) keep(one, made, stream);
    return made;
}

/* ---- Starting ---- */

/* 0 with an exception where the stream cannot be told. */
static int current_stream(const DeviceLaunch *launch, void **stream)
{
    *stream = NULL;
    switch (launch->source) {
    case NO_STREAM: return 1;
    case STREAM_FUNCTION: *stream = (void *)launch->stream_function(launch->ordinal); return !PyErr_Occurred();
    case STREAM_EXCHANGE: return launch->stream_exchange->current_stream(DL_CUDA, launch->ordinal, stream) == 0;
    case STREAM_CALL: break;
    }
    uint64_t handle;
    PyObject *found = PyObject_Call(launch->stream_call, launch->stream_args, NULL);
    if (found == NULL) return 0;
    int is_known = address_at(&launch->stream_path, found, &handle);
    Py_DECREF(found);
    *stream = (void *)(uintptr_t)handle;
    return is_known;
}

/* The driver's status; the GIL is not held. What is packed ends in room for the longest geometry. */
static int start_all(const DeviceLaunch *launch, char *packed, size_t used, void *stream)
{
    int status = 0;
    for (int at = 0; status == 0 && at < launch->start_count; at++) {
        const start *one = &launch->starts[at];
        size_t size = (size_t)PyBytes_GET_SIZE(one->geometry), bytes = used + size;
        memcpy(packed + used, PyBytes_AS_STRING(one->geometry), size);
        void *extra[] = {(void *)1, packed, (void *)2, &bytes, NULL}; /* CU_LAUNCH_PARAM_BUFFER_POINTER, _SIZE, _END */
        status = launch->driver.launch(one->function, one->grid[0], one->grid[1], one->grid[2], one->block[0],
                                       one->block[1], one->block[2], 0, stream, NULL, extra);
    }
    return status;
}

/* Between what the library has started and what it will start: where the stream is another than the library's. */
static int start_between(const DeviceLaunch *launch, char *packed, size_t used, void *current)
{
    const driver_calls *driver = &launch->driver;
    void *stream = launch->own_stream;
    int status = driver->record(launch->event, current);
    if (status == 0) status = driver->wait(stream, launch->event, 0);
    if (status == 0) status = start_all(launch, packed, used, stream);
    if (status == 0) status = driver->record(launch->event, stream);
    if (status == 0) status = driver->wait(current, launch->event, 0);
    return status;
}

static int start_kernel(DeviceLaunch *launch, char *packed, size_t used, void *current)
{
    int status, is_other = launch->has_own_stream && launch->own_stream != current;
    if (is_other && launch->is_busy) return -1; /* another thread uses the event */
    launch->is_busy |= is_other;
    Py_BEGIN_ALLOW_THREADS
    status = is_other ? start_between(launch, packed, used, current) : start_all(launch, packed, used, current);
    Py_END_ALLOW_THREADS
    if (is_other) launch->is_busy = 0;
    return status;
}

/* 1: the context is current, 2: it is now, and must be popped, 0: another one is. */
static int enter_context(const DeviceLaunch *launch)
{
    void *now = NULL;
    if (launch->driver.get_current(&now) != 0) return 0;
    if (now == launch->context) return 1;
    /* A thread that has not used a device yet: libraries take the first one. */
    return now == NULL && launch->is_first_device && launch->driver.push(launch->context) == 0 ? 2 : 0;
}

static PyObject *finish(const DeviceLaunch *launch, PyObject *const *made, PyObject *const *values)
{
    if (launch->items != NULL) {
        PyObject *tuple = PyTuple_New(launch->item_count);
        for (int at = 0; tuple != NULL && at < launch->item_count; at++)
            PyTuple_SET_ITEM(tuple, at, Py_NewRef(made[launch->items[at]]));
        return tuple;
    }
    if (launch->finish == NULL) return Py_NewRef(made[0]);
    PyObject *outputs = tuple_of(made, launch->output_count), *given = tuple_of(values, launch->argument_count);
    PyObject *result = outputs && given ? PyObject_CallFunctionObjArgs(launch->finish, outputs, given, NULL) : NULL;
    Py_XDECREF(outputs);
    Py_XDECREF(given);
    return result;
}

/* The result; NULL, perhaps with an exception, where the call must go the Python way. Nothing has happened then. */
static PyObject *run(DeviceLaunch *launch, PyObject *const *values, const uint64_t *addresses)
{
    _Alignas(16) char packed[MOST_OPERANDS * sizeof(uint64_t) + MOST_SCALARS * SCALAR_BYTES + MOST_GEOMETRY];
    PyObject *made[MOST_OPERANDS], *result = NULL;
    uint64_t *operands = (uint64_t *)packed;
    int count = 0, made_count = 0;
    void *current;

    int entered = enter_context(launch);
    if (entered == 0) return NULL;
    if (!current_stream(launch, &current)) goto done;
    for (; count < launch->input_count; count++)
        operands[count] = addresses[launch->inputs[count].argument] + (uint64_t)launch->inputs[count].offset;
    for (; made_count < launch->buffer_count; made_count++, count++) {
        maker *one = &launch->buffers[made_count];
        made[made_count] = make(one, current);
        if (made[made_count] == NULL) goto done;
        if (!address_by(one->exchange, &one->address, made[made_count], &operands[count])) {
            made_count++;
            goto done;
        }
    }
    size_t used = (size_t)count * sizeof *operands;
    if (launch->number_count > 0 && !pack_all(launch, values, packed + used)) goto done;
    used += (size_t)launch->number_count * SCALAR_BYTES;
    if (start_kernel(launch, packed, used, current) == 0) result = finish(launch, made, values);
done:
    for (int at = 0; at < made_count; at++) Py_DECREF(made[at]);
    if (entered == 2) launch->driver.pop(&current);
    return result;
}

/* ---- The table ---- */

static void move_to_front(DeviceTable *table, int place)
{
    DeviceLaunch *known = table->known[place];
    memmove(table->known + 1, table->known, (size_t)place * sizeof *table->known);
    table->known[0] = known;
    table->version++;
}

/* Whether Python may try again: nobody catches the rest (Control-C). */
static int is_forgiven(void)
{
    if (!PyErr_Occurred()) return 1;
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return 0;
    PyErr_Clear();
    return 1;
}

static PyObject *table_call(PyObject *object, PyObject *const *values, size_t flagged, PyObject *keywords)
{
    DeviceTable *table = (DeviceTable *)object;
    Py_ssize_t count = PyVectorcall_NARGS(flagged);
    uint64_t addresses[MOST_ARGUMENTS] = {0};
    if (keywords != NULL && PyTuple_GET_SIZE(keywords) > 0) Py_RETURN_NOTIMPLEMENTED;
    for (int place = 0; place < table->count; place++) {
        DeviceLaunch *launch = table->known[place];
        if (launch->argument_count != count || launch->is_cleared) continue;
        unsigned long version = table->version;
        PyObject *result = NULL;
        Py_INCREF(launch);
        int is_suitable = suits(launch, values, addresses);
        if (is_suitable) {
            if (place > 0 && table->version == version) move_to_front(table, place);
            result = run(launch, values, addresses);
        }
        Py_DECREF(launch);
        if (result != NULL) return result;
        if (!is_forgiven()) return NULL;
        if (is_suitable || table->version != version) break;
    }
    Py_RETURN_NOTIMPLEMENTED;
}

static PyObject *table_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args;
    (void)kwargs;
    DeviceTable *self = (DeviceTable *)type->tp_alloc(type, 0);
    if (self != NULL) self->vectorcall = table_call;
    return (PyObject *)self;
}

static PyObject *table_remember(PyObject *object, PyObject *value)
{
    DeviceTable *self = (DeviceTable *)object;
    if (!Py_IS_TYPE(value, &DeviceLaunch_Type)) return PyErr_SetString(PyExc_TypeError, "not a DeviceLaunch"), NULL;
    for (int place = 0; place < self->count; place++)
        if ((PyObject *)self->known[place] == value) {
            move_to_front(self, place);
            Py_RETURN_NONE;
        }
    DeviceLaunch *oldest = NULL;
    if (self->count == MOST_REMEMBERED) oldest = self->known[--self->count];
    self->known[self->count++] = (DeviceLaunch *)Py_NewRef(value);
    move_to_front(self, self->count - 1);
    Py_XDECREF(oldest);
    Py_RETURN_NONE;
}

static int table_clear(PyObject *object)
{
    DeviceTable *self = (DeviceTable *)object;
    DeviceLaunch *known[MOST_REMEMBERED];
    int count = self->count;
    memcpy(known, self->known, (size_t)count * sizeof *known);
    self->count = 0;
    self->version++;
    for (int place = 0; place < count; place++) Py_DECREF(known[place]);
    return 0;
}

static PyObject *table_forget(PyObject *object, PyObject *unused)
{
    (void)unused;
    table_clear(object);
    Py_RETURN_NONE;
}

static int table_traverse(PyObject *object, visitproc visit, void *arg)
{
    DeviceTable *self = (DeviceTable *)object;
    for (int place = 0; place < self->count; place++) Py_VISIT(self->known[place]);
    return 0;
}

static void table_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    table_clear(object);
    Py_TYPE(object)->tp_free(object);
}

static Py_ssize_t table_length(PyObject *self) { return ((DeviceTable *)self)->count; }

static PyMethodDef table_methods[] = {
    {"remember", table_remember, METH_O, "Put a DeviceLaunch first; beyond the limit the one used longest ago goes."},
    {"forget", table_forget, METH_NOARGS, "Forget every launch."},
    {NULL, NULL, 0, NULL},
};

static PySequenceMethods table_as_sequence = {.sq_length = table_length};

static PyTypeObject DeviceTable_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "pyfuse.backend.cuda._launcher.DeviceTable",
    .tp_doc = "The launches of one function on devices: a callable that says NotImplemented where none is for a call.",
    .tp_basicsize = sizeof(DeviceTable),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(DeviceTable, vectorcall),
    .tp_call = PyVectorcall_Call,
    .tp_new = table_new,
    .tp_traverse = table_traverse,
    .tp_clear = table_clear,
    .tp_dealloc = table_dealloc,
    .tp_methods = table_methods,
    .tp_as_sequence = &table_as_sequence,
};

/* ---- What is remembered: made by Python, as launcher.py says ---- */

static int refuse(const char *why)
{
    PyErr_SetString(PyExc_ValueError, why);
    return -1;
}

/* Memory for the records of a tuple's items, zeroed; NULL with an exception, also where it is no tuple. */
static void *records(PyObject *tuple, Py_ssize_t most, size_t size, int *count)
{
    if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) > most) return refuse("no tuple, or too long a one"), NULL;
    *count = (int)PyTuple_GET_SIZE(tuple);
    void *made = PyMem_Calloc(*count > 0 ? (size_t)*count : 1, size);
    return made != NULL ? made : PyErr_NoMemory();
}

/* A tuple of names; one that ends in () is of a method without arguments. */
static int read_path(PyObject *names, path *into)
{
    if (!PyTuple_Check(names) || PyTuple_GET_SIZE(names) > 4) return refuse("no path");
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(names); at++) {
        PyObject *name = PyTuple_GET_ITEM(names, at);
        Py_ssize_t length;
        const char *text = PyUnicode_AsUTF8AndSize(name, &length);
        if (text == NULL) return -1;
        int is_call = length > 2 && strcmp(text + length - 2, "()") == 0;
        PyObject *own = is_call ? PyUnicode_FromStringAndSize(text, length - 2) : Py_NewRef(name);
        if (own == NULL) return -1;
        PyUnicode_InternInPlace(&own);
        into->steps[at].name = own;
        into->steps[at].is_call = is_call;
        into->length = (int)at + 1;
    }
    return 0;
}

/* None, or a capsule of DLPack's exchange. */
static int read_exchange(PyObject *capsule, dl_exchange **into)
{
    *into = NULL;
    if (capsule == Py_None) return 0;
    *into = PyCapsule_GetPointer(capsule, "dlpack_exchange_api");
    if (*into == NULL) return -1;
    if ((*into)->major != 1 || (*into)->from_object == NULL) return refuse("another DLPack");
    return 0;
}

static int64_t *read_whole_numbers(PyObject *tuple)
{
    int count;
    int64_t *numbers = records(tuple, 64, sizeof *numbers, &count);
    for (int at = 0; numbers != NULL && at < count; at++) numbers[at] = PyLong_AsLongLong(PyTuple_GET_ITEM(tuple, at));
    return numbers;
}

/* (device, code, bits, shape, strides in elements) */
static int read_tensor(PyObject *description, dl_tensor *into)
{
    PyObject *shape, *strides;
    int number, code, bits;
    if (!PyArg_ParseTuple(description, "iiiO!O!", &number, &code, &bits, &PyTuple_Type, &shape, &PyTuple_Type, &strides))
        return -1;
    into->device.type = DL_CUDA;
    into->device.number = number;
    into->dtype.code = (uint8_t)code;
    into->dtype.bits = (uint8_t)bits;
    into->dtype.lanes = 1;
    into->ndim = (int32_t)PyTuple_GET_SIZE(shape);
    into->shape = read_whole_numbers(shape);
    into->strides = into->shape != NULL ? read_whole_numbers(strides) : NULL;
    return into->strides == NULL || PyErr_Occurred() ? -1 : 0;
}

/* Of each a path and what is expected there. NULL or an exception: they make no sense. */
static look *read_looks(PyObject *tuple, int *count)
{
    look *looks = records(tuple, 64, sizeof *looks, count);
    for (int at = 0; looks != NULL && at < *count; at++) {
        PyObject *from, *expected;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(tuple, at), "OO", &from, &expected)) return looks;
        looks[at].expected = Py_NewRef(expected);
        if (read_path(from, &looks[at].from) < 0) return looks;
    }
    return looks;
}

/* (type, alignment, looks, address, exchange or None, tensor); alignment 0: a number */
static int read_argument(PyObject *description, argument *into)
{
    PyObject *kind, *looks, *address, *exchange, *tensor;
    unsigned long long alignment;
    if (!PyArg_ParseTuple(description, "O!KOOOO", &PyType_Type, &kind, &alignment, &looks, &address, &exchange, &tensor))
        return -1;
    into->kind = (PyTypeObject *)Py_NewRef(kind);
    into->alignment = (uintptr_t)alignment;
    if (read_path(address, &into->address) < 0 || read_exchange(exchange, &into->exchange) < 0) return -1;
    if (into->exchange != NULL && read_tensor(tensor, &into->form) < 0) return -1;
    into->looks = read_looks(looks, &into->look_count);
    return into->looks == NULL || PyErr_Occurred() ? -1 : 0;
}

/* (call, args, fill or None, args of it, address, exchange or None, looks, owners) */
static int read_maker(PyObject *description, maker *into)
{
    PyObject *call, *args, *fill, *fill_args, *address, *exchange, *looks, *owners;
    if (!PyArg_ParseTuple(description, "OO!OO!OOOO", &call, &PyTuple_Type, &args, &fill, &PyTuple_Type, &fill_args, &address,
                          &exchange, &looks, &owners))
        return -1;
    if (PyTuple_GET_SIZE(fill_args) > 6) return refuse("too many arguments of a maker");
    into->call = Py_NewRef(call);
    into->args = Py_NewRef(args);
    into->fill = fill == Py_None ? NULL : Py_NewRef(fill);
    into->fill_args = Py_NewRef(fill_args);
    into->looks = read_looks(looks, &into->look_count);
    into->owners = into->looks != NULL ? records(owners, 4, sizeof *into->owners, &into->owner_count) : NULL;
    if (into->owners == NULL || PyErr_Occurred()) return -1;
    for (int at = 0; at < into->owner_count; at++)
        if (read_path(PyTuple_GET_ITEM(owners, at), &into->owners[at]) < 0) return -1;
    return read_path(address, &into->address) < 0 ? -1 : read_exchange(exchange, &into->exchange);
}

/* (argument, bytes behind its first element) */
static int read_input(PyObject *description, int argument_count, input *into)
{
    long long offset;
    if (!PyArg_ParseTuple(description, "iL", &into->argument, &offset)) return -1;
    into->offset = offset;
    return into->argument >= 0 && into->argument < argument_count ? 0 : refuse("an input that is no argument");
}

/* (argument, bytes or None: computed; kind; size) */
static int read_number(PyObject *description, int argument_count, number *into)
{
    PyObject *place;
    int kind;
    if (!PyArg_ParseTuple(description, "OCi", &place, &kind, &into->size)) return -1;
    into->kind = (char)kind;
    if (strchr("fciub", kind) == NULL || into->size < 1 || into->size > SCALAR_BYTES) return refuse("no number");
    into->place = place == Py_None ? -2 : -1;
    if (PyBytes_Check(place)) {
        if (PyBytes_GET_SIZE(place) != SCALAR_BYTES) return refuse("a packed number has another size");
        memcpy(into->packed, PyBytes_AS_STRING(place), SCALAR_BYTES);
    } else if (place != Py_None) {
        into->place = PyLong_AsLong(place) < 0 ? -1 : (int)PyLong_AsLong(place);
        if (into->place < 0 || into->place >= argument_count) return refuse("a number that is no argument");
    }
    return 0;
}

/* (function, blocks, block, geometry) */
static int read_start(PyObject *description, start *into)
{
    unsigned long long function;
    PyObject *geometry;
    if (!PyArg_ParseTuple(description, "K(III)(III)S", &function, &into->grid[0], &into->grid[1], &into->grid[2],
                          &into->block[0], &into->block[1], &into->block[2], &geometry))
        return -1;
    if (PyBytes_GET_SIZE(geometry) > MOST_GEOMETRY) return refuse("too long a geometry");
    into->function = (void *)(uintptr_t)function;
    into->geometry = Py_NewRef(geometry);
    return 0;
}

/* (how, what, args, path): as launcher.py says */
static int read_stream(DeviceLaunch *self, PyObject *description)
{
    const char *how;
    PyObject *what, *args, *way;
    if (!PyArg_ParseTuple(description, "sOO!O", &how, &what, &PyTuple_Type, &args, &way)) return -1;
    if (strcmp(how, "none") == 0) return 0;
    if (strcmp(how, "function") == 0) {
        self->source = STREAM_FUNCTION;
        self->stream_function = (intptr_t(*)(int))PyCapsule_GetPointer(what, "intptr_t (int)");
        return self->stream_function != NULL ? 0 : -1;
    }
    if (strcmp(how, "exchange") == 0) {
        self->source = STREAM_EXCHANGE;
        if (read_exchange(what, &self->stream_exchange) < 0) return -1;
        return self->stream_exchange != NULL && self->stream_exchange->current_stream != NULL ? 0 : refuse("no stream");
    }
    self->source = STREAM_CALL;
    self->stream_call = Py_NewRef(what);
    self->stream_args = Py_NewRef(args);
    return read_path(way, &self->stream_path);
}

static int read_driver(DeviceLaunch *self, PyObject *addresses)
{
    unsigned long long at[6];
    if (!PyArg_ParseTuple(addresses, "KKKKKK", &at[0], &at[1], &at[2], &at[3], &at[4], &at[5])) return -1;
    uintptr_t as_pointers[6];
    for (int place = 0; place < 6; place++) as_pointers[place] = (uintptr_t)at[place];
    memcpy(&self->driver, as_pointers, sizeof self->driver); /* function pointers in the order of the record */
    return 0;
}

static int read_argument_of(DeviceLaunch *self, PyObject *description, int at)
{
    return read_argument(description, &self->arguments[at]);
}

static int read_input_of(DeviceLaunch *self, PyObject *description, int at)
{
    return read_input(description, self->argument_count, &self->inputs[at]);
}

static int read_number_of(DeviceLaunch *self, PyObject *description, int at)
{
    return read_number(description, self->argument_count, &self->numbers[at]);
}

static int read_buffer_of(DeviceLaunch *self, PyObject *description, int at)
{
    return read_maker(description, &self->buffers[at]);
}

static int read_start_of(DeviceLaunch *self, PyObject *description, int at)
{
    return read_start(description, &self->starts[at]);
}

static int read_fact_of(DeviceLaunch *self, PyObject *description, int at)
{
    return read_fact(description, &self->facts[at]);
}

/* Whether all items of a tuple could be read into the records that were made for them. */
static int read_each(DeviceLaunch *self, PyObject *tuple, const void *into, int count,
                     int (*read)(DeviceLaunch *self, PyObject *description, int at))
{
    if (into == NULL) return 0;
    for (int at = 0; at < count; at++)
        if (read(self, PyTuple_GET_ITEM(tuple, at), at) < 0) return 0;
    return 1;
}

static int read_result(DeviceLaunch *self, PyObject *result)
{
    if (result == Py_None) return 0;
    if (!PyTuple_Check(result)) return self->finish = Py_NewRef(result), 0;
    self->items = records(result, MOST_OPERANDS, sizeof *self->items, &self->item_count);
    for (int at = 0; self->items != NULL && at < self->item_count; at++) {
        long item = PyLong_AsLong(PyTuple_GET_ITEM(result, at));
        if (item < 0 || item >= self->output_count) return refuse("a result that is no output");
        self->items[at] = (int)item;
    }
    return self->items == NULL ? -1 : 0;
}

static PyObject *launch_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *words[] = {"arguments", "inputs", "numbers", "compute", "facts", "holds", "buffers", "output_count",
                            "starts", "driver", "context", "ordinal", "stream", "own_stream", "event", "result", "keeper",
                            NULL};
    PyObject *arguments, *inputs, *numbers, *compute, *facts, *holds, *buffers, *starts, *driver, *stream, *own_stream,
        *result, *keeper;
    unsigned long long context, event;
    int output_count, ordinal;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "$OOOOOOOiOOKiOOKOO:DeviceLaunch", words, &arguments, &inputs, &numbers,
                                     &compute, &facts, &holds, &buffers, &output_count, &starts, &driver, &context,
                                     &ordinal, &stream, &own_stream, &event, &result, &keeper))
        return NULL;
    DeviceLaunch *self = (DeviceLaunch *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->context = (void *)(uintptr_t)context;
    self->event = (void *)(uintptr_t)event;
    self->ordinal = ordinal;
    self->is_first_device = ordinal == 0;
    self->output_count = output_count;
    self->compute = compute == Py_None ? NULL : Py_NewRef(compute);
    self->holds = holds == Py_None ? NULL : Py_NewRef(holds);
    self->has_facts = facts != Py_None;
    self->has_own_stream = own_stream != Py_None;
    self->keeper = Py_NewRef(keeper);
    if (self->has_own_stream) self->own_stream = (void *)(uintptr_t)PyLong_AsUnsignedLongLong(own_stream);
    int is_read = 1;
#define READ(tuple, most, records_of, count_of, read)                                  \
    if (is_read) {                                                                     \
        self->records_of = records(tuple, most, sizeof *self->records_of, &self->count_of); \
        is_read = read_each(self, tuple, self->records_of, self->count_of, read);      \
    }
    READ(arguments, MOST_ARGUMENTS, arguments, argument_count, read_argument_of)
    READ(inputs, MOST_OPERANDS, inputs, input_count, read_input_of)
    READ(numbers, MOST_SCALARS, numbers, number_count, read_number_of)
    READ(buffers, MOST_OPERANDS, buffers, buffer_count, read_buffer_of)
    READ(starts, MOST_OPERANDS, starts, start_count, read_start_of)
    if (self->has_facts) READ(facts, MOST_OPERANDS, facts, fact_count, read_fact_of)
#undef READ
    is_read = is_read && self->input_count + self->buffer_count <= MOST_OPERANDS && output_count >= 1
              && output_count <= self->buffer_count && read_driver(self, driver) == 0 && read_stream(self, stream) == 0
              && read_result(self, result) == 0;
    if (!is_read || PyErr_Occurred()) {
        if (!PyErr_Occurred()) refuse("no outputs, or too many operands");
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int launch_traverse(PyObject *object, visitproc visit, void *arg)
{
    DeviceLaunch *self = (DeviceLaunch *)object;
    Py_VISIT(self->holds);
    Py_VISIT(self->compute);
    Py_VISIT(self->finish);
    Py_VISIT(self->keeper);
    Py_VISIT(self->stream_call);
    for (int at = 0; self->buffers != NULL && at < self->buffer_count; at++) {
        Py_VISIT(self->buffers[at].call);
        Py_VISIT(self->buffers[at].args);
        Py_VISIT(self->buffers[at].fill_args);
        for (int place = 0; place < self->buffers[at].kept_count; place++) Py_VISIT(self->buffers[at].kept[place].array);
    }
    return visit_facts(self->facts, self->facts != NULL ? self->fact_count : 0, visit, arg);
}

/* Only what can be part of a cycle and is not looked at without a check. */
static int launch_clear(PyObject *object)
{
    DeviceLaunch *self = (DeviceLaunch *)object;
    self->is_cleared = 1;
    Py_CLEAR(self->holds);
    Py_CLEAR(self->compute);
    Py_CLEAR(self->finish);
    Py_CLEAR(self->keeper);
    return 0;
}

static void free_path(path *way)
{
    for (int at = 0; at < way->length; at++) Py_XDECREF(way->steps[at].name);
}

static void free_looks(look *looks, int count)
{
    for (int number = 0; looks != NULL && number < count; number++) {
        free_path(&looks[number].from);
        Py_XDECREF(looks[number].expected);
    }
    PyMem_Free(looks);
}

static void launch_dealloc(PyObject *object)
{
    DeviceLaunch *self = (DeviceLaunch *)object;
    PyObject_GC_UnTrack(object);
    for (int at = 0; self->arguments != NULL && at < self->argument_count; at++) {
        argument *one = &self->arguments[at];
        Py_XDECREF(one->kind);
        free_path(&one->address);
        free_looks(one->looks, one->look_count);
        PyMem_Free(one->form.shape);
        PyMem_Free(one->form.strides);
    }
    for (int at = 0; self->buffers != NULL && at < self->buffer_count; at++) {
        maker *one = &self->buffers[at];
        Py_XDECREF(one->call);
        Py_XDECREF(one->args);
        Py_XDECREF(one->fill);
        Py_XDECREF(one->fill_args);
        free_path(&one->address);
        free_looks(one->looks, one->look_count);
        for (int number = 0; one->owners != NULL && number < one->owner_count; number++) free_path(&one->owners[number]);
        PyMem_Free(one->owners);
        for (int place = 0; place < one->kept_count; place++) Py_DECREF(one->kept[place].array);
    }
    for (int at = 0; self->starts != NULL && at < self->start_count; at++) Py_XDECREF(self->starts[at].geometry);
    clear_facts(self->facts, self->facts != NULL ? self->fact_count : 0);
    free_path(&self->stream_path);
    PyMem_Free(self->arguments);
    PyMem_Free(self->inputs);
    PyMem_Free(self->numbers);
    PyMem_Free(self->buffers);
    PyMem_Free(self->starts);
    PyMem_Free(self->facts);
    PyMem_Free(self->items);
    Py_XDECREF(self->holds);
    Py_XDECREF(self->compute);
    Py_XDECREF(self->finish);
    Py_XDECREF(self->keeper);
    Py_XDECREF(self->stream_call);
    Py_XDECREF(self->stream_args);
    Py_TYPE(object)->tp_free(object);
}

static PyTypeObject DeviceLaunch_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "pyfuse.backend.cuda._launcher.DeviceLaunch",
    .tp_doc = "A launch on a device with the form of the calls that it is for. ValueError: they must go the Python way.",
    .tp_basicsize = sizeof(DeviceLaunch),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = launch_new,
    .tp_traverse = launch_traverse,
    .tp_clear = launch_clear,
    .tp_dealloc = launch_dealloc,
};

static int execute(PyObject *module)
{
#ifdef Py_GIL_DISABLED
    PyErr_SetString(PyExc_ImportError, "this extension relies on the GIL");
    return -1;
#endif
    if (PyModule_AddType(module, &DeviceLaunch_Type) < 0 || PyModule_AddType(module, &DeviceTable_Type) < 0) return -1;
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
    .m_name = "_launcher",
    .m_doc = "Calls on devices whose launch is known.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__launcher(void) { return PyModuleDef_Init(&definition); }
