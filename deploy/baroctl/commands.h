#pragma once
// The commands, each in the file of its name. They print their result to standard output and what went
// wrong to standard error.

#include "deploy/baroctl/command.h"

// Evaluates the laws of SPEC 8: EXIT_WRONG when one is broken, EXIT_USAGE when it could not look.
enum exit_code audit_run(const struct arguments *arguments, struct arena *arena);

// Sagas, through the gateway: the order service alone changes them.
enum exit_code saga_list_run(const struct arguments *arguments, struct arena *arena);
enum exit_code saga_show_run(const struct arguments *arguments, struct arena *arena);
enum exit_code saga_retry_run(const struct arguments *arguments, struct arena *arena);

// Events that an outside sink did not take, through the gateway as well.
enum exit_code dead_letter_list_run(const struct arguments *arguments, struct arena *arena);
enum exit_code dead_letter_replay_run(const struct arguments *arguments, struct arena *arena);

// Makes an account an admin, in the user service's database: there may be no admin yet to ask.
enum exit_code user_promote_run(const struct arguments *arguments, struct arena *arena);

// Loads a shop with a past into the databases (demo.h); again: another one beside it.
enum exit_code load_demo_run(const struct arguments *arguments, struct arena *arena);

// Sells `stock` units to `buyers` buyers at the same moment, over the gateway; EXIT_WRONG when
// anything but exactly the stock was sold.
enum exit_code flash_sale_run(const struct arguments *arguments, struct arena *arena);

enum exit_code help_run(const struct arguments *arguments, struct arena *arena);
