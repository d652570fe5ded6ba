#pragma once
// The rules of accounts, pure: which e-mail addresses, passwords and names are taken.

#include "lib/base/arena.h"
#include "lib/base/status.h"

#include <stdint.h>

enum account_role { ROLE_USER = 1, ROLE_ADMIN = 2 };

// A person who may sign in.
struct account {
    int64_t id;
    const char *email; // as typed, without spaces around
    const char *name;
    enum account_role role;
    int64_t created_at_us;
};

// An ASCII address with a dotted domain, at most 254 characters: VALIDATION_ERROR on "email".
struct status account_check_email(const char *email);

// 8 or more characters, at most 1,024 bytes, with a letter, a digit and one of @$!%*?&:
// VALIDATION_ERROR on "password".
struct status account_check_password(const char *password);

// A trimmed name: 2 to 50 characters, no control characters, and not one that sounds like us:
// VALIDATION_ERROR on "name".
struct status account_check_name(const char *name);

// The address in lower case: what is unique.
char *account_email_key(struct arena *arena, const char *email);

// "USER" for ROLE_USER; the role with that name.
const char *account_role_name(enum account_role role);
enum account_role account_role_parse(const char *name);
