/* Expressions over the arguments of a call (pyfuse/host_values.py) as a list of steps: each calls a Python function with
   values that are there already. The same in Python takes 1.2 us for two operations on numbers, of which the operations
   themselves are 0.3; and np.errstate around them 1.9, where entering a context that holds the same state takes 0.1. */
#define PY_SSIZE_T_CLEAN
#include "evaluation.h"

#include <stddef.h>
#include <structmember.h>

enum { MOST_VALUES = 96, MOST_OPERANDS_OF_A_STEP = 16 };

typedef struct {
    PyObject *function;
    int first, count; /* of its operands, in `operands` */
} step;

typedef struct {
    PyObject_HEAD
    PyObject *constants;  /* a tuple: the first values */
    PyObject *functions;  /* a tuple: owns those of the steps */
    PyObject *predicates; /* a tuple, one for each result, or NULL: nothing is asked of them */
    PyObject *context;    /* the steps run in it, unless it is in use; or NULL */
    PyObject *otherwise;  /* then a function of the arguments answers, and where a step raises */
    int argument_count, index_count, step_count, result_count;
    int *indices;  /* of arguments: the values behind the constants */
    int *operands; /* of all steps: values */
    int *results;  /* values */
    step *steps;   /* each makes one more value */
} Evaluation;

Py_ssize_t evaluation_argument_count(PyObject *evaluation) { return ((Evaluation *)evaluation)->argument_count; }

static int is_nobodys(void)
{
    return !PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError);
}

/* Fills the values behind the constants and arguments: new references. How many were made, less than all on failure. */
static int run_steps(const Evaluation *self, PyObject **values, int first)
{
    for (int number = 0; number < self->step_count; number++) {
        const step *one = &self->steps[number];
        PyObject *operands[MOST_OPERANDS_OF_A_STEP];
        for (int place = 0; place < one->count; place++) operands[place] = values[self->operands[one->first + place]];
        values[first + number] = PyObject_Vectorcall(one->function, operands, (size_t)one->count, NULL);
        if (values[first + number] == NULL) return number;
    }
    return self->step_count;
}

/* All values; how many of them are new references is *made, also on failure: -1. */
static int find_values(const Evaluation *self, PyObject *const *arguments, PyObject **values, int *first, int *made)
{
    int constants = (int)PyTuple_GET_SIZE(self->constants);
    for (int number = 0; number < constants; number++) values[number] = PyTuple_GET_ITEM(self->constants, number);
    for (int number = 0; number < self->index_count; number++)
        values[constants + number] = arguments[self->indices[number]];
    *first = constants + self->index_count;
    *made = run_steps(self, values, *first);
    return *made == self->step_count ? 0 : -1;
}

static void forget(PyObject **values, int first, int made)
{
    for (int number = 0; number < made; number++) Py_DECREF(values[first + number]);
}

static PyObject *values_here(const Evaluation *self, PyObject *const *arguments)
{
    PyObject *values[MOST_VALUES], *list = NULL;
    int first, made;
    if (find_values(self, arguments, values, &first, &made) == 0) list = PyList_New(self->result_count);
    for (int number = 0; list != NULL && number < self->result_count; number++)
        PyList_SET_ITEM(list, number, Py_NewRef(values[self->results[number]]));
    forget(values, first, made);
    return list;
}

PyObject *call_with_tuple(PyObject *function, PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *tuple = PyTuple_New(count);
    if (tuple == NULL) return NULL;
    for (Py_ssize_t number = 0; number < count; number++) PyTuple_SET_ITEM(tuple, number, Py_NewRef(arguments[number]));
    PyObject *answer = PyObject_CallOneArg(function, tuple);
    Py_DECREF(tuple);
    return answer;
}

/* Keeps an exception that is under way. -1: with another one. */
static int leave(PyObject *context)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (PyContext_Exit(context) < 0) {
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
        return -1;
    }
    PyErr_Restore(type, value, traceback);
    return 0;
}

PyObject *evaluation_values(PyObject *evaluation, PyObject *const *arguments)
{
    const Evaluation *self = (const Evaluation *)evaluation;
    PyObject *list;
    if (self->context == NULL) {
        list = values_here(self, arguments);
    } else if (PyContext_Enter(self->context) == 0) {
        list = values_here(self, arguments);
        if (leave(self->context) < 0) {
            Py_CLEAR(list);
            return NULL;
        }
    } else {
        list = NULL; /* another thread is in it, or this one */
    }
    if (list != NULL || self->otherwise == NULL || is_nobodys()) return list;
    PyErr_Clear();
    return call_with_tuple(self->otherwise, arguments, self->argument_count);
}

static int holds_here(const Evaluation *self, PyObject *const *arguments)
{
    PyObject *values[MOST_VALUES];
    int first, made, holds = find_values(self, arguments, values, &first, &made) == 0 ? 1 : -1;
    for (int number = 0; holds == 1 && number < self->result_count; number++) {
        PyObject *predicate = PyTuple_GET_ITEM(self->predicates, number);
        PyObject *answer = PyObject_CallOneArg(predicate, values[self->results[number]]);
        holds = answer != NULL ? PyObject_IsTrue(answer) : -1;
        Py_XDECREF(answer);
    }
    forget(values, first, made);
    return holds;
}

int evaluation_holds(PyObject *evaluation, PyObject *const *arguments)
{
    const Evaluation *self = (const Evaluation *)evaluation;
    int holds;
    if (self->context == NULL) {
        holds = holds_here(self, arguments);
    } else if (PyContext_Enter(self->context) < 0) {
        holds = -1; /* in use: Python finds out */
    } else {
        holds = holds_here(self, arguments);
        if (leave(self->context) < 0) return -1;
    }
    if (holds >= 0 || is_nobodys()) return holds;
    PyErr_Clear();
    return 0;
}

/* ---- Making one ---- */

static int *read_places(PyObject *tuple, Py_ssize_t limit, int *count)
{
    Py_ssize_t size = PyTuple_GET_SIZE(tuple);
    int *places = PyMem_Calloc((size_t)size + 1, sizeof *places);
    if (places == NULL) return (int *)PyErr_NoMemory();
    for (Py_ssize_t number = 0; number < size; number++) {
        Py_ssize_t place = PyNumber_AsSsize_t(PyTuple_GET_ITEM(tuple, number), NULL);
        if (place < 0 || place >= limit) {
            PyMem_Free(places);
            if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "no such value");
            return NULL;
        }
        places[number] = (int)place;
    }
    *count = (int)size;
    return places;
}

/* Steps are (function, (value, ...)). */
static int read_steps(Evaluation *self, PyObject *steps, Py_ssize_t first)
{
    Py_ssize_t size = PyTuple_GET_SIZE(steps), total = 0;
    for (Py_ssize_t number = 0; number < size; number++) {
        PyObject *function, *operands;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(steps, number), "OO!", &function, &PyTuple_Type, &operands)) return -1;
        if (PyTuple_GET_SIZE(operands) > MOST_OPERANDS_OF_A_STEP) {
            PyErr_SetString(PyExc_ValueError, "too many operands");
            return -1;
        }
        total += PyTuple_GET_SIZE(operands);
    }
    self->functions = PyTuple_New(size);
    self->steps = PyMem_Calloc((size_t)size + 1, sizeof *self->steps);
    self->operands = PyMem_Calloc((size_t)total + 1, sizeof *self->operands);
    if (self->functions == NULL) return -1;
    if (self->steps == NULL || self->operands == NULL) return PyErr_NoMemory(), -1;
    int used = 0;
    for (Py_ssize_t number = 0; number < size; number++) {
        PyObject *function = PyTuple_GET_ITEM(PyTuple_GET_ITEM(steps, number), 0);
        int count, *places = read_places(PyTuple_GET_ITEM(PyTuple_GET_ITEM(steps, number), 1), first + number, &count);
        if (places == NULL) return -1;
        for (int place = 0; place < count; place++) self->operands[used + place] = places[place];
        PyMem_Free(places);
        PyTuple_SET_ITEM(self->functions, number, Py_NewRef(function));
        self->steps[number] = (step){function, used, count};
        used += count;
    }
    self->step_count = (int)size;
    return 0;
}

static PyObject *evaluation_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *words[] = {"constants", "argument_count", "indices", "steps", "results", "predicates", "context",
                            "otherwise", NULL};
    PyObject *constants, *indices, *steps, *results, *predicates, *context, *otherwise;
    int argument_count;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "$O!iO!O!O!OOO:Evaluation", words, &PyTuple_Type, &constants,
                                     &argument_count, &PyTuple_Type, &indices, &PyTuple_Type, &steps, &PyTuple_Type,
                                     &results, &predicates, &context, &otherwise))
        return NULL;
    Py_ssize_t first = PyTuple_GET_SIZE(constants) + PyTuple_GET_SIZE(indices), all = first + PyTuple_GET_SIZE(steps);
    int is_asked = predicates != Py_None;
    if (all > MOST_VALUES || (context != Py_None && !PyContext_CheckExact(context))
        || (is_asked && (!PyTuple_Check(predicates) || PyTuple_GET_SIZE(predicates) != PyTuple_GET_SIZE(results)))) {
        PyErr_SetString(PyExc_ValueError, "too many values, or not one predicate for each result");
        return NULL;
    }
    Evaluation *self = (Evaluation *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->constants = Py_NewRef(constants);
    if (is_asked) self->predicates = Py_NewRef(predicates);
    if (context != Py_None) self->context = Py_NewRef(context);
    if (otherwise != Py_None) self->otherwise = Py_NewRef(otherwise);
    self->argument_count = argument_count;
    self->indices = read_places(indices, argument_count, &self->index_count);
    if (self->indices != NULL) self->results = read_places(results, all, &self->result_count);
    if (self->results == NULL || read_steps(self, steps, first) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

/* What it computes for the arguments in a tuple: a list, or whether the predicates hold. */
static PyObject *evaluation_call(PyObject *object, PyObject *args, PyObject *kwargs)
{
    Evaluation *self = (Evaluation *)object;
    PyObject *arguments;
    if (kwargs != NULL || !PyArg_ParseTuple(args, "O!:Evaluation", &PyTuple_Type, &arguments)) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a tuple of arguments is expected");
        return NULL;
    }
    if (PyTuple_GET_SIZE(arguments) != self->argument_count) {
        PyErr_SetString(PyExc_TypeError, "another number of arguments is expected");
        return NULL;
    }
    PyObject *const *items = ((PyTupleObject *)arguments)->ob_item;
    if (self->predicates == NULL) return evaluation_values(object, items);
    int holds = evaluation_holds(object, items);
    return holds < 0 ? NULL : PyBool_FromLong(holds);
}

static int evaluation_traverse(PyObject *object, visitproc visit, void *arg)
{
    Evaluation *self = (Evaluation *)object;
    Py_VISIT(self->constants);
    Py_VISIT(self->functions);
    Py_VISIT(self->predicates);
    Py_VISIT(self->context);
    Py_VISIT(self->otherwise);
    return 0;
}

static int evaluation_clear(PyObject *object)
{
    Evaluation *self = (Evaluation *)object;
    self->index_count = self->step_count = self->result_count = 0; /* nothing is looked at from here on */
    Py_CLEAR(self->functions);
    Py_CLEAR(self->predicates);
    Py_CLEAR(self->context);
    Py_CLEAR(self->otherwise);
    return 0;
}

static void evaluation_dealloc(PyObject *object)
{
    Evaluation *self = (Evaluation *)object;
    PyObject_GC_UnTrack(object);
    evaluation_clear(object);
    Py_XDECREF(self->constants);
    PyMem_Free(self->indices);
    PyMem_Free(self->operands);
    PyMem_Free(self->results);
    PyMem_Free(self->steps);
    Py_TYPE(object)->tp_free(object);
}

PyTypeObject Evaluation_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "pyfuse.backend.cpu._dispatcher.Evaluation",
    .tp_doc = "Expressions over the arguments of a call, and what must hold of them.",
    .tp_basicsize = sizeof(Evaluation),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = evaluation_new,
    .tp_call = evaluation_call,
    .tp_traverse = evaluation_traverse,
    .tp_clear = evaluation_clear,
    .tp_dealloc = evaluation_dealloc,
};
