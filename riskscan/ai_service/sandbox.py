"""Confines a process and its children on Linux: no network, and no access to other processes.

A seccomp filter needs no privileges and no namespaces, which containers and Ubuntu forbid; see seccomp(2) and
prctl(2) for the values below. On other systems, and on other machines than x86-64 and ARM64, there is none.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Callable

# the value of AUDIT_ARCH, and the numbers of socket, ptrace, process_vm_readv and process_vm_writev
ARCHITECTURES = {
    "x86_64": (0xC000003E, (41, 101, 310, 311)),
    "aarch64": (0xC00000B7, (198, 117, 270, 271)),
}
# the same everywhere: a ring opens sockets without the call socket, and pidfd_getfd copies those of others
IO_URING_SETUP, PIDFD_OPEN, PIDFD_GETFD = 425, 434, 438
X32_CALLS = 0x40000000  # from here on x86-64 has its calls a second time
PR_SET_DUMPABLE = 4
NICENESS = 9  # of the processes that read or score: the workers, which answer everybody, go first
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
PR_SET_NO_NEW_PRIVS = 38
LOAD, JUMP_IF_EQUAL, JUMP_IF_NOT_LESS, RETURN = 0x20, 0x15, 0x35, 0x06
CALL_OFFSET, ARCHITECTURE_OFFSET = 0, 4
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EACCES


def make_undumpable() -> None:
    """Make the files in /proc/PID that show environment, memory and descriptors root's, and forbid tracing.

    Forked children inherit it; a program that is executed starts without it.
    """
    if sys.platform == "linux":
        _load_prctl()(PR_SET_DUMPABLE, 0, 0, 0, 0)


def enter_sandbox() -> bool:
    """Refuse sockets of all families and calls that access other processes from now on (EACCES).

    Returns False where the system has no filter.
    """
    make_undumpable()
    known = ARCHITECTURES.get(os.uname().machine)
    # a 32-bit program on such a machine has other calls
    if sys.platform != "linux" or known is None or sys.maxsize < 2**32:
        return False
    architecture, numbers = known
    refused = (*numbers, IO_URING_SETUP, PIDFD_OPEN, PIDFD_GETFD)
    # (operation, instructions to skip if true, if false, operand)
    program = (
        (LOAD, 0, 0, ARCHITECTURE_OFFSET),
        (JUMP_IF_EQUAL, 0, len(refused) + 3, architecture),
        (LOAD, 0, 0, CALL_OFFSET),
        (JUMP_IF_NOT_LESS, len(refused) + 1, 0, X32_CALLS),
        *((JUMP_IF_EQUAL, len(refused) - position, 0, call) for position, call in enumerate(refused)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    program_of_code = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
    prctl = _load_prctl()
    if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    filter_address = ctypes.addressof(program_of_code)
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_address, 0, 0) == 0


def _load_prctl() -> Callable[..., int]:
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    return prctl
