/* Loop nests run over tiles by NumPy's own inner loops: the type that dispatcher.c puts into the module. */
#ifndef PYFUSE_TILE_RUNNER_H
#define PYFUSE_TILE_RUNNER_H

#include <Python.h>

/* The types of this file, ready for the module. 0, or -1 with an exception. */
int add_tile_types(PyObject *module);

#endif
