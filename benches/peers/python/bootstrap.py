"""Starts AWS's own runtime for Python with the handler."""

import sys

from awslambdaric.__main__ import main

main([sys.argv[0], "handler.handler"])
