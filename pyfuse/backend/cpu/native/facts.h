/* Guarded facts: places, and the very objects that were in them when a launch was made. Included by both extensions. */
#ifndef PYFUSE_FACTS_H
#define PYFUSE_FACTS_H
#include <Python.h>

#include "dictionary_stamp.h"

typedef enum { IN_DICTIONARY, IN_CELL, CODE, DEFAULTS, KEYWORD_DEFAULTS } fact_kind; /* as in known_launch.py */

typedef struct {
    fact_kind kind;
    PyObject *place; /* a dictionary, a cell, or a function for the others */
    PyObject *key;   /* in a dictionary */
    PyObject *value; /* the object that must be there; NULL: nothing */
    uint64_t stamp;  /* of the dictionary when the object was seen there */
} fact;

/* (kind, place, key[, value]): see known_launch.py. 0, or -1 with ValueError or another exception. */
static int read_fact(PyObject *description, fact *into)
{
    PyObject *place, *key, *value = NULL;
    int kind;
    if (!PyArg_ParseTuple(description, "iOO|O", &kind, &place, &key, &value)) return -1;
    int is_right = kind == IN_DICTIONARY ? PyDict_CheckExact(place) && PyUnicode_CheckExact(key)
                   : kind == IN_CELL     ? PyCell_Check(place) && value != NULL
                                         : PyFunction_Check(place);
    if (!is_right || kind < IN_DICTIONARY || kind > KEYWORD_DEFAULTS) {
        PyErr_SetString(PyExc_ValueError, "no place of a fact");
        return -1;
    }
    if (kind == IN_DICTIONARY && watch_dictionary(place) < 0) return -1;
    into->kind = (fact_kind)kind;
    into->stamp = NO_STAMP;
    into->place = Py_NewRef(place);
    into->key = kind == IN_DICTIONARY ? Py_NewRef(key) : NULL;
    into->value = Py_XNewRef(value);
    return 0;
}

static int is_in_dictionary(fact *one)
{
    const uint64_t stamp = dictionary_stamp(one->place);
    if (stamp == one->stamp && stamp != NO_STAMP) return 1;
    PyObject *now = PyDict_GetItemWithError(one->place, one->key);
    if (now == NULL && PyErr_Occurred()) return PyErr_Clear(), 0;
    if (now == one->value) one->stamp = stamp;
    return now == one->value;
}

/* Whether every guarded place holds the very object that it held. 0 says nothing: an equal one may do. */
static int are_facts_as_they_were(fact *facts, int count)
{
    for (int number = 0; number < count; number++) {
        fact *one = &facts[number];
        PyObject *now = NULL;
        switch (one->kind) {
        case IN_DICTIONARY:
            if (!is_in_dictionary(one)) return 0;
            continue;
        case IN_CELL:
            now = PyCell_Get(one->place);
            Py_XDECREF(now); /* compared, not used */
            break;
        case CODE: now = PyFunction_GetCode(one->place); break;
        case DEFAULTS: now = PyFunction_GetDefaults(one->place); break;
        case KEYWORD_DEFAULTS: now = PyFunction_GetKwDefaults(one->place); break;
        }
        if (now != one->value) return 0;
    }
    return 1;
}

/* Of the collector: both return 0, or what `visit` does. */
static int visit_facts(const fact *facts, int count, visitproc visit, void *arg)
{
    for (int number = 0; number < count; number++) {
        Py_VISIT(facts[number].place);
        Py_VISIT(facts[number].value);
    }
    return 0;
}

static void clear_facts(fact *facts, int count)
{
    for (int number = 0; number < count; number++) {
        Py_CLEAR(facts[number].value);
        Py_CLEAR(facts[number].key);
        Py_CLEAR(facts[number].place);
    }
}
#endif
