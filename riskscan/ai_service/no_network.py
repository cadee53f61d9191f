"""Takes the network from a process and its children, by a seccomp filter: Linux on x86-64 and ARM64.

A filter needs no privileges and no namespaces, which containers and Ubuntu forbid; see seccomp(2) for the
values below.
"""

import ctypes
import errno
import os
import struct
import sys

# the value of AUDIT_ARCH, and the number of the system call socket
ARCHITECTURES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
IO_URING_SETUP = 425  # a ring opens sockets without that call
X32_CALLS = 0x40000000  # from here on x86-64 has its calls a second time
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
PR_SET_NO_NEW_PRIVS = 38
LOAD, JUMP_IF_EQUAL, JUMP_IF_NOT_LESS, RETURN = 0x20, 0x15, 0x35, 0x06
CALL_OFFSET, ARCHITECTURE_OFFSET = 0, 4
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EACCES


def forbid_network() -> bool:
    """Refuse sockets of all families from now on (EACCES); return False where the system has no filter."""
    known = ARCHITECTURES.get(os.uname().machine)
    # a 32-bit program on such a machine has other calls
    if sys.platform != "linux" or known is None or sys.maxsize < 2**32:
        return False
    architecture, socket = known
    # (operation, instructions to skip if true, if false, operand)
    program = (
        (LOAD, 0, 0, ARCHITECTURE_OFFSET),
        (JUMP_IF_EQUAL, 0, 5, architecture),
        (LOAD, 0, 0, CALL_OFFSET),
        (JUMP_IF_NOT_LESS, 3, 0, X32_CALLS),
        (JUMP_IF_EQUAL, 2, 0, socket),
        (JUMP_IF_EQUAL, 1, 0, IO_URING_SETUP),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    program_of_code = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    filter_address = ctypes.addressof(program_of_code)
    return bool(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_address, 0, 0) == 0)
