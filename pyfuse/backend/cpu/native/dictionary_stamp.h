/* Whether a dictionary is as it was: a number that moves with every change, in place of a look at each key. A look costs
   7 ns where keys are bytes, as those of os.environ are, and 4 ns where they are text, of a call of 120.

   Python 3.11 counts changes of each dictionary itself. Later ones call whoever watches it (PyDict_Watch), so there all
   that are watched share one number. It moves before a change is made; between that and the change no Python code runs.
   Included by both extensions. */
#ifndef PYFUSE_DICTIONARY_STAMP_H
#define PYFUSE_DICTIONARY_STAMP_H
#include <Python.h>
#include <stdint.h>

enum { NO_STAMP = 0 }; /* of a dictionary that must be looked into */

#if PY_VERSION_HEX < 0x030C0000

static int watch_dictionary(PyObject *dictionary) { return (void)dictionary, 0; }

static uint64_t dictionary_stamp(PyObject *dictionary) { return ((PyDictObject *)dictionary)->ma_version_tag; }

#else

static struct {
    int id; /* one more than Python's number of this watcher; 0: none yet */
    uint64_t changes;
} dictionary_watcher;

static int note_a_change(PyDict_WatchEvent event, PyObject *dictionary, PyObject *key, PyObject *value)
{
    (void)event, (void)dictionary, (void)key, (void)value;
    dictionary_watcher.changes++;
    return 0;
}

/* To be called once of each dictionary before its stamp is asked for. 0, or -1 with an exception. */
static int watch_dictionary(PyObject *dictionary)
{
    if (dictionary_watcher.id == 0) {
        int id = PyDict_AddWatcher(note_a_change);
        if (id < 0) return -1;
        dictionary_watcher.id = id + 1;
        dictionary_watcher.changes = NO_STAMP + 1;
    }
    return PyDict_Watch(dictionary_watcher.id - 1, dictionary);
}

static uint64_t dictionary_stamp(PyObject *dictionary) { return (void)dictionary, dictionary_watcher.changes; }

#endif
#endif
