/* Values that Python computes at each call of a fused function, without a frame of Python around them. */
#ifndef PYFUSE_EVALUATION_H
#define PYFUSE_EVALUATION_H

#include <Python.h>

extern PyTypeObject Evaluation_Type;

/* How many arguments a call must have. */
Py_ssize_t evaluation_argument_count(PyObject *evaluation);

/* A new list of the values of all expressions, or NULL with the exception that one of them has raised. */
PyObject *evaluation_values(PyObject *evaluation, PyObject *const *arguments);

/* 1: the predicates hold of the values. 0: one does not, or cannot be looked at. -1: an exception that nobody catches. */
int evaluation_holds(PyObject *evaluation, PyObject *const *arguments);

/* What a Python function says of the arguments, which it takes as one tuple. */
PyObject *call_with_tuple(PyObject *function, PyObject *const *arguments, Py_ssize_t count);

#endif
