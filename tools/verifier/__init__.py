# SPDX-License-Identifier: Apache-2.0
"""A second implementation of the verifier, from the specification alone: see ../README.md."""
