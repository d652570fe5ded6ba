#pragma once
// `baroctl audit`: evaluates the laws of SPEC 8 and says what is broken.

// Returns the exit status: 0 clean, 1 broken, 2 for arguments or databases that cannot be used.
int audit_command(int argc, char **argv);
