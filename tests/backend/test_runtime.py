"""Does the native runtime run every element once, on any number of threads, and report what went wrong?"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

cffi = pytest.importorskip("cffi")

SOURCE = Path(__file__).parents[2] / "pyfuse" / "backend" / "cpu" / "native" / "runtime.c"
COMPILE = ("cc", "-O2", "-std=gnu11", "-fPIC", "-shared", "-pthread", "-Wl,-z,nodelete", "-Wall", "-Wextra", "-Werror")

DIVIDE, OVERFLOW, UNDERFLOW, INVALID, REPLAY, CAREFUL = 1, 2, 4, 8, 16, 32
SLOW = 1_000_000  # picoseconds for one element: even a small array is worth splitting
FAST = 300
DATA_OFFSET = object.__basicsize__  # the data pointer is the first field of an array object

API = """
    typedef unsigned (*pf_nest_function)(char *const *operands, const long long *geometry, const char *scalars,
                                         long long outer_begin, long long outer_end,
                                         long long inner_begin, long long inner_end);
    typedef struct {
        pf_nest_function run;
        const long long *geometry;
        long long outer;
        long long inner;
        long long depth;
        long long element_cost;
    } pf_nest_call;
    typedef struct {
        long long operand_count, nest_count, thread_limit;
        long long data_offset;
        const pf_nest_call *nests;
    } pf_launch;
    unsigned pyfuse_launch(const pf_launch *launch, const char *packed);
    int pyfuse_thread_count(void);
    unsigned pyfuse_runtime_version(void);
"""

NEST_ARGUMENTS = (
    "char *const *operands, const long long *geometry, const char *scalars,"
    "long long outer_begin, long long outer_end, long long inner_begin, long long inner_end"
)

NESTS_API = f"""
    unsigned add_one({NEST_ARGUMENTS});
    unsigned multiply_add({NEST_ARGUMENTS});
    unsigned divide({NEST_ARGUMENTS});
    unsigned write_begin({NEST_ARGUMENTS});
    unsigned report_at_end({NEST_ARGUMENTS});
    unsigned sum_operands({NEST_ARGUMENTS});
    unsigned fail_in_worker({NEST_ARGUMENTS});
    int read_calls(void);
    double read_third(void);
    unsigned launch_between(void *function, const void *launch, const char *packed,
                            int flags, int rounding, int *flags_after, int *rounding_after);
    int flag_bits(int which);
    int upward(void);
    int nearest(void);
"""

NESTS = """
#include <fenv.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#define NEST(name) unsigned name(char *const *operands, const long long *geometry, const char *scalars, \\
    long long outer_begin, long long outer_end, long long inner_begin, long long inner_end)
#define EACH for (long long i = outer_begin; i < outer_end; i++) for (long long j = inner_begin; j < inner_end; j++)
#define UNUSED (void)operands, (void)geometry, (void)scalars, (void)outer_begin, (void)outer_end, \\
    (void)inner_begin, (void)inner_end
static int calls;
static pthread_t caller;
static int worker_came;
static volatile double third;

/* geometry[0]: elements from one row to the next; geometry[1]: rows of the whole nest; geometry[2]: their length */
NEST(add_one)
{
    UNUSED;
    __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
    double *out = (double *)operands[0];
    EACH out[i * geometry[0] + j] += 1;
    return 0;
}
NEST(multiply_add)
{
    UNUSED;
    double *out = (double *)operands[0], *a = (double *)operands[1], *b = (double *)operands[2], c;
    memcpy(&c, scalars, sizeof c);
    EACH out[i * geometry[0] + j] += a[i * geometry[0] + j] * b[i * geometry[0] + j] + c;
    return 0;
}
NEST(divide)
{
    UNUSED;
    double *out = (double *)operands[0], *a = (double *)operands[1], *b = (double *)operands[2];
    EACH out[i * geometry[0] + j] = a[i * geometry[0] + j] / b[i * geometry[0] + j];
    return 0;
}
NEST(write_begin)
{
    UNUSED;
    double *out = (double *)operands[0];
    EACH out[i * geometry[0] + j] = (double)inner_begin;
    return 0;
}
NEST(report_at_end)
{
    UNUSED;
    unsigned status;
    memcpy(&status, scalars, sizeof status);
    return outer_end == geometry[1] && inner_end == geometry[2] ? status : 0;
}
NEST(sum_operands)
{
    UNUSED;
    double *out = (double *)operands[0];
    EACH for (long long number = 1; number <= geometry[3]; number++)
        out[i * geometry[0] + j] += ((double *)operands[number])[i * geometry[0] + j];
    return 0;
}
/* A chunk of the caller waits (5 s at most) until a worker has raised invalid. */
NEST(fail_in_worker)
{
    UNUSED;
    volatile double zero = 0, one = 1;
    if (!pthread_equal(pthread_self(), caller)) {
        third = one / 3;
        one = zero / zero;
        __atomic_store_n(&worker_came, 1, __ATOMIC_RELEASE);
        return 2;
    }
    struct timespec millisecond = {0, 1000000};
    for (int wait = 0; wait < 5000 && !__atomic_load_n(&worker_came, __ATOMIC_ACQUIRE); wait++)
        nanosleep(&millisecond, NULL);
    return 0;
}
int read_calls(void) { return __atomic_exchange_n(&calls, 0, __ATOMIC_RELAXED); }
double read_third(void) { return third; }
unsigned launch_between(void *function, const void *launch, const char *packed,
                        int flags, int rounding, int *flags_after, int *rounding_after)
{
    fenv_t outside;
    fegetenv(&outside);
    fesetround(rounding);
    feclearexcept(FE_ALL_EXCEPT);
    feraiseexcept(flags);
    caller = pthread_self();
    worker_came = 0;
    third = 0;
    unsigned status = ((unsigned (*)(const void *, const char *))function)(launch, packed);
    *flags_after = fetestexcept(FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INVALID);
    *rounding_after = fegetround();
    fesetenv(&outside);
    return status;
}
int flag_bits(int which)
{
    return (which & 1 ? FE_DIVBYZERO : 0) | (which & 2 ? FE_OVERFLOW : 0) | (which & 4 ? FE_UNDERFLOW : 0)
           | (which & 8 ? FE_INVALID : 0);
}
int upward(void) { return FE_UPWARD; }
int nearest(void) { return FE_TONEAREST; }
"""


class Runtime:
    """The compiled runtime and the nests above, in this process."""

    def __init__(self, runtime: str, nests: str) -> None:
        self.paths = (runtime, nests)
        self.ffi = cffi.FFI()
        self.ffi.cdef(API + NESTS_API)
        self.runtime = self.ffi.dlopen(runtime)
        self.nests = self.ffi.dlopen(nests)

    def prepare(
        self,
        nests: Sequence[str],
        operands: Sequence[np.ndarray],
        *,
        shape: tuple[int, int],
        threads: int,
        scalars: bytes = b"",
        cost: int = SLOW,
        by_object: bool = False,
    ) -> tuple[object, bytes, object]:
        """The two arguments of a launch, and what must stay alive with them."""
        rows, columns = shape
        geometry = self.ffi.new("long long[]", [columns, rows, columns, len(operands) - 1])
        calls = self.ffi.new("pf_nest_call[]", len(nests))
        for call, name in zip(calls, nests, strict=True):
            call.run = self.ffi.cast("pf_nest_function", self.ffi.addressof(self.nests, name))
            call.geometry, call.outer, call.inner, call.element_cost = geometry, rows, columns, cost
            call.depth = 1
        data_offset = DATA_OFFSET if by_object else -1
        launch = self.ffi.new("pf_launch *", [len(operands), len(nests), threads, data_offset, calls])
        addresses = [id(array) if by_object else array.ctypes.data for array in operands]
        return launch, struct.pack(f"={len(operands)}q", *addresses) + scalars, (calls, geometry)

    def launch(self, nests: Sequence[str], operands: Sequence[np.ndarray], **settings: object) -> int:
        launch, packed, _alive = self.prepare(nests, operands, **settings)  # type: ignore[arg-type]
        return self.runtime.pyfuse_launch(launch, packed)

    def launch_between(
        self,
        nest: str,
        operands: Sequence[np.ndarray],
        *,
        flags: int = 0,
        rounding: int | None = None,
        **settings: object,
    ) -> tuple[int, int, int]:
        """Launch with the caller's flags and rounding set; the status, and both as they are afterwards."""
        launch, packed, _alive = self.prepare([nest], operands, **settings)  # type: ignore[arg-type]
        after = self.ffi.new("int[2]")
        function = self.ffi.cast("void *", self.ffi.addressof(self.runtime, "pyfuse_launch"))
        rounding = self.nests.nearest() if rounding is None else rounding
        before = self.nests.flag_bits(flags)
        status = self.nests.launch_between(function, launch, packed, before, rounding, after, after + 1)
        return status, after[0], after[1]

    def counts_every_element_once(self, size: int = 50_021, threads: int = 4) -> bool:
        out = np.zeros(size)
        status = self.launch(["add_one"], [out], shape=(1, size), threads=threads)
        return status == 0 and bool((out == 1).all())


@pytest.fixture(scope="module", params=["native", "portable"])
def runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    if os.name != "posix":
        pytest.skip("the native runtime needs POSIX threads")
    if shutil.which("cc") is None:
        pytest.skip("no C compiler (cc)")
    folder = tmp_path_factory.mktemp("runtime")
    runtime_path, nests_path, nests_source = folder / "runtime.so", folder / "nests.so", folder / "nests.c"
    nests_source.write_text(NESTS)
    portable = ("-DPF_PORTABLE",) if request.param == "portable" else ()
    subprocess.run([*COMPILE, *portable, SOURCE, "-o", runtime_path, "-lm"], check=True)
    subprocess.run([*COMPILE, nests_source, "-o", nests_path, "-lm"], check=True)
    return Runtime(str(runtime_path), str(nests_path))


ONE_VARIANT = pytest.mark.parametrize("runtime", ["native"], indirect=True)  # a new process takes half a second


def run_in_new_process(runtime: Runtime, script: str) -> str:
    """Run a script that finds the runtime as ``runtime``; its output, once it has exited normally."""
    start = f"from test_runtime import *\nimport time\nruntime = Runtime(*{runtime.paths!r})\n"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", start + script]
    done = subprocess.run(command, check=False, env=environment, timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


SHAPES = [
    (1, 1),
    (1, 4_095),
    (1, 4_097),
    (1, 10_007),
    (1, 65_537),
    (7, 4_099),
    (10_007, 3),
    (40_001, 1),
    (101, 257),
    (3, 100_003),
]


def test_version_is_known(runtime: Runtime) -> None:
    assert runtime.runtime.pyfuse_runtime_version() == 4


@pytest.mark.parametrize("threads", [0, 1, 2, 8, 100_000])
@pytest.mark.parametrize("shape", SHAPES)
def test_each_element_is_written_exactly_once(runtime: Runtime, shape: tuple[int, int], threads: int) -> None:
    out = np.zeros(shape)
    runtime.nests.read_calls()
    assert runtime.launch(["add_one"], [out], shape=shape, threads=threads) == 0
    assert (out == 1).all()
    was_split = runtime.nests.read_calls() > 1
    assert was_split == (threads > 1 and out.size > 4_096)


@pytest.mark.parametrize("by_object", [False, True])
def test_results_do_not_depend_on_the_number_of_threads(runtime: Runtime, by_object: bool) -> None:
    shape = (301, 211)
    generator = np.random.default_rng(1)
    a, b = generator.normal(size=shape), generator.normal(size=shape)
    for threads in (1, 2, 8):
        out = np.zeros(shape)
        status = runtime.launch(
            ["multiply_add"],
            [out, a, b],
            shape=shape,
            threads=threads,
            scalars=struct.pack("=d", 2.5),
            by_object=by_object,
        )
        assert status == 0
        np.testing.assert_array_equal(out, a * b + 2.5)


def test_nests_run_one_after_the_other(runtime: Runtime) -> None:
    size = 30_011
    out = np.full(size, 7.0)
    nests = ["write_begin", "add_one", "add_one", "add_one"]
    assert runtime.launch(nests, [out], shape=(1, size), threads=4) == 0
    assert set((out - 3) % 64) == {0.0}
    assert len(set(out)) > 1


def test_rows_are_split_between_cache_lines_only(runtime: Runtime) -> None:
    out = np.full((3, 100_003), -1.0)
    runtime.launch(["write_begin"], [out], shape=out.shape, threads=8)
    assert set(out.ravel() % 64) == {0.0}
    assert len(set(out.ravel())) > 1


@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (0, 10**9), (10**9, 0)])
def test_zero_extents_run_nothing(runtime: Runtime, shape: tuple[int, int], threads: int) -> None:
    runtime.nests.read_calls()
    assert runtime.launch(["add_one"], [np.zeros(1)], shape=shape, threads=threads) == 0
    assert runtime.nests.read_calls() == 0


def test_no_nests_and_no_operands_are_legal(runtime: Runtime) -> None:
    assert runtime.launch([], [], shape=(1, 1), threads=2) == 0


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("flags", [0, DIVIDE | UNDERFLOW, INVALID])
@pytest.mark.parametrize(
    ("a", "b", "raised"),
    [
        (0.0, 0.0, INVALID),
        (1.0, 0.0, DIVIDE),
        (1e308, 1e-8, OVERFLOW),
        (1e-308, 1e8, UNDERFLOW),
        (1.0, 3.0, 0),
        (np.nan, 0.0, 0),
    ],
)
def test_flags_of_the_last_element_are_reported_and_the_callers_kept(
    runtime: Runtime, a: float, b: float, raised: int, flags: int, threads: int
) -> None:
    size = 20_001
    numerators, denominators, out = np.ones(size), np.ones(size), np.zeros(size)
    numerators[-1], denominators[-1] = a, b
    status, after, _rounding = runtime.launch_between(
        "divide", [out, numerators, denominators], flags=flags, shape=(1, size), threads=threads
    )
    assert status == raised
    assert after == runtime.nests.flag_bits(flags)


def test_flags_and_status_of_a_worker_are_reported(runtime: Runtime) -> None:
    for flags in (0, INVALID | DIVIDE):
        status, after, _rounding = runtime.launch_between(
            "fail_in_worker", [], flags=flags, shape=(1, 20_000), threads=2
        )
        assert status == INVALID | OVERFLOW
        assert after == runtime.nests.flag_bits(flags)
    # A worker's own flags do not reach the next launch.
    ones = np.ones(20_000)
    assert runtime.launch_between("divide", [ones, ones, ones], shape=(1, 20_000), threads=2)[0] == 0


def test_workers_round_as_the_caller_does(runtime: Runtime) -> None:
    thirds = {}
    for rounding in (runtime.nests.nearest(), runtime.nests.upward(), runtime.nests.nearest()):
        _status, _after, rounding_after = runtime.launch_between(
            "fail_in_worker", [], rounding=rounding, shape=(1, 20_000), threads=2
        )
        assert rounding_after == rounding
        thirds[rounding] = runtime.nests.read_third()
    assert thirds[runtime.nests.nearest()] == 1 / 3
    assert thirds[runtime.nests.upward()] == np.nextafter(1 / 3, 1)


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("status", [0, DIVIDE, REPLAY | OVERFLOW, CAREFUL, CAREFUL | INVALID])
def test_status_of_a_nest_is_merged_without_the_careful_bit(runtime: Runtime, status: int, threads: int) -> None:
    scalars = struct.pack("=I", status)
    settings = {"shape": (11, 2_003), "threads": threads, "scalars": scalars}
    assert runtime.launch(["report_at_end"], [], **settings) == status & ~CAREFUL
    assert runtime.launch(["report_at_end", "add_one"], [np.zeros((11, 2_003))], **settings) == status & ~CAREFUL


@pytest.mark.parametrize("by_object", [False, True])
@pytest.mark.parametrize("count", [63, 64, 65, 300])
def test_any_number_of_operands(runtime: Runtime, count: int, by_object: bool) -> None:
    size = 10_001
    inputs = [np.full(size, float(number)) for number in range(1, count)]
    out = np.zeros(size)
    assert runtime.launch(["sum_operands"], [out, *inputs], shape=(1, size), threads=4, by_object=by_object) == 0
    assert (out == sum(range(1, count))).all()


def test_many_python_threads_launch_at_once(runtime: Runtime) -> None:
    right: list[bool] = []

    def launch_often(seed: int) -> None:
        right.append(all(runtime.counts_every_element_once(5_000 + seed * 3_001 + turn) for turn in range(60)))

    callers = [threading.Thread(target=launch_often, args=(seed,)) for seed in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=60)
    assert right == [True] * 8


@ONE_VARIANT
def test_no_thread_starts_before_one_is_wanted(runtime: Runtime) -> None:
    script = """
count = runtime.runtime.pyfuse_thread_count
out = np.zeros(100_000)
counts = [count()]
for size, threads, cost in ((99_999, 1, SLOW), (999, 8, FAST), (99_999, 3, SLOW), (99_999, 8, SLOW), (99_999, 2, SLOW)):
    runtime.launch(["add_one"], [out], shape=(1, size), threads=threads, cost=cost)
    counts.append(count())
print(*counts)
"""
    assert run_in_new_process(runtime, script).split() == ["0", "0", "0", "2", "7", "7"]


def test_threads_are_woken_for_work_in_between_that_comes_in_a_row(runtime: Runtime) -> None:
    script = """
count = runtime.runtime.pyfuse_thread_count
out, counts = np.zeros(40_000), []
for pause, repeats in ((0.001, 20), (0.0, 3), (0.001, 1), (0.0, 20)):
    for _ in range(repeats):
        time.sleep(pause) if pause else None
        runtime.launch(["add_one"], [out], shape=(1, out.size), threads=2, cost=1_000)
    counts.append(count())
print(*counts, (out == 44.0).all())
"""
    assert run_in_new_process(runtime, script).split() == ["0", "0", "0", "1", "True"]


@ONE_VARIANT
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")
def test_workers_keep_the_cores_they_were_given(runtime: Runtime) -> None:
    """A worker steps aside for the caller by way of its allowed cores."""
    script = """
cores = sorted(os.sched_getaffinity(0))
assert runtime.counts_every_element_once(threads=3)
out = np.zeros(40_000)
for core in cores * 3:
    os.sched_setaffinity(0, {core})  # of this thread: it moves under the workers' feet
    for _ in range(50):
        runtime.launch(["add_one"], [out], shape=(1, out.size), threads=3, cost=1_000)
time.sleep(0.05)
lists = [(task / "status").read_text().split("Cpus_allowed_list:")[1].split()[0]
         for task in Path("/proc/self/task").iterdir() if (task / "comm").read_text() == "pyfuse\\n"]
os.sched_setaffinity(0, cores)
mine = Path("/proc/self/status").read_text().split("Cpus_allowed_list:")[1].split()[0]
print(len(lists), set(lists) == {mine}, (out == 150.0 * len(cores)).all())
"""
    assert run_in_new_process(runtime, script).split() == ["2", "True", "True"]


@ONE_VARIANT
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")
def test_workers_are_named_and_take_no_signals(runtime: Runtime) -> None:
    script = """
import signal
assert runtime.counts_every_element_once(threads=3)
time.sleep(0.05)
for task in Path("/proc/self/task").iterdir():
    if (task / "comm").read_text() == "pyfuse\\n":
        fields = dict(line.split(":\\t", 1) for line in (task / "status").read_text().splitlines() if ":\\t" in line)
        blocked = int(fields["SigBlk"], 16)
        print(all(blocked >> (number - 1) & 1 for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)))
assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
"""
    assert run_in_new_process(runtime, script).split() == ["True", "True"]


@ONE_VARIANT
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
def test_without_new_threads_the_caller_works_alone(runtime: Runtime) -> None:
    script = """
import resource
assert runtime.counts_every_element_once(threads=1)
pages = int(Path("/proc/self/statm").read_text().split()[0])
memory = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**21, memory[1]))
right = runtime.counts_every_element_once() and runtime.counts_every_element_once()
resource.setrlimit(resource.RLIMIT_AS, memory)
print(right, runtime.runtime.pyfuse_thread_count())
"""
    assert run_in_new_process(runtime, script).split() == ["True", "0"]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs sched_setaffinity")
def test_one_cpu_is_enough_for_many_threads(runtime: Runtime) -> None:
    script = """
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(all(runtime.counts_every_element_once(threads=8) for _ in range(200)), runtime.runtime.pyfuse_thread_count())
"""
    assert run_in_new_process(runtime, script).split() == ["True", "7"]


FORK = """
import multiprocessing, signal, warnings
warnings.simplefilter("ignore", DeprecationWarning)

def right_in_a_fork() -> bool:
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        right = runtime.runtime.pyfuse_thread_count() == 0
        right = right and all(runtime.counts_every_element_once() for _ in range(5))
        os._exit(0 if right and runtime.runtime.pyfuse_thread_count() > 0 else 1)
    return os.waitpid(child, 0)[1] == 0

assert runtime.counts_every_element_once()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_a_pool_of_its_own(runtime: Runtime) -> None:
    script = """
results = [right_in_a_fork() for _ in range(6)]
time.sleep(0.01)
print(all(results), right_in_a_fork(), runtime.counts_every_element_once())
"""
    assert run_in_new_process(runtime, FORK + script).split() == ["True", "True", "True"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_forked_while_the_pool_works_launches_too(runtime: Runtime) -> None:
    script = """
stop = False
right = []

def launch_often():
    while not stop:
        right.append(runtime.counts_every_element_once(1_000_003))

busy = threading.Thread(target=launch_often)
busy.start()
results = [right_in_a_fork() for _ in range(12)]
stop = True
busy.join()
print(all(results), all(right), len(right) > 0)
"""
    assert run_in_new_process(runtime, FORK + script).split() == ["True", "True", "True"]


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_multiprocessing_workers_launch_too(runtime: Runtime) -> None:
    script = """
def is_right(size):
    return runtime.counts_every_element_once(size)

with multiprocessing.get_context("fork").Pool(3) as pool:
    print(all(pool.map_async(is_right, range(5_000, 90_000, 7_001)).get(timeout=20)))
"""
    assert run_in_new_process(runtime, FORK + script).split() == ["True"]


def test_a_process_exits_normally_right_after_a_threaded_launch(runtime: Runtime) -> None:
    assert run_in_new_process(runtime, "print(runtime.counts_every_element_once())").split() == ["True"]


@ONE_VARIANT
def test_a_process_exits_normally_while_another_thread_launches(runtime: Runtime) -> None:
    script = """
def launch_often():
    while True:
        runtime.launch(["add_one"], [out], shape=(1, out.size), threads=4)

out = np.zeros(1_000_003)
threading.Thread(target=launch_often, daemon=True).start()
time.sleep(0.05)
"""
    run_in_new_process(runtime, script)
