"""The compiled call paths, which pyfuse does without where there is no C compiler; all else is in pyproject.toml."""

import sysconfig

from setuptools import Extension, setup

extensions = []
if not sysconfig.get_config_var("Py_GIL_DISABLED"):  # they rely on the GIL
    extensions.append(
        Extension(
            "pyfuse.backend.cuda._launcher",
            sources=["pyfuse/backend/cuda/native/launcher.c"],
            depends=["pyfuse/backend/cpu/native/dictionary_stamp.h", "pyfuse/backend/cpu/native/facts.h"],
            optional=True,
        )
    )
    try:
        import numpy
    except ImportError:  # a build without isolation and without NumPy
        pass
    else:
        extensions.append(
            Extension(
                "pyfuse.backend.cpu._dispatcher",
                sources=[
                    f"pyfuse/backend/cpu/native/{name}.c"
                    for name in ("dispatcher", "evaluation", "output_pool", "tile_runner", "tile_casts")
                ],
                depends=[
                    f"pyfuse/backend/cpu/native/{name}.h"
                    for name in ("dictionary_stamp", "evaluation", "facts", "output_pool", "tile_runner", "tile_casts")
                ],
                include_dirs=[numpy.get_include()],
                optional=True,
            )
        )

setup(ext_modules=extensions)
