// Elementary functions of float.
