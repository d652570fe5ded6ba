// Who may pass: the whole matrix of rules and callers.

#include "lib/base/macros.h"
#include "lib/rpc/access.h"

#include <criterion/criterion.h>

Test(access, admits_by_role_and_denies_by_default)
{
    static const struct {
        struct caller caller;
        bool saga;
        enum reason answers[5]; // to NOBODY, ANYBODY, USER, ADMIN, SERVICE
    } rows[] = {
        {{0, CALLER_NOBODY},
         false, {REASON_UNAUTHENTICATED, REASON_NONE, REASON_UNAUTHENTICATED, REASON_UNAUTHENTICATED,
          REASON_UNAUTHENTICATED}                                                     },
        {{7, CALLER_USER},
         false, {REASON_FORBIDDEN, REASON_NONE, REASON_NONE, REASON_FORBIDDEN, REASON_FORBIDDEN}     },
        {{0, CALLER_USER},
         false, {REASON_FORBIDDEN, REASON_NONE, REASON_FORBIDDEN, REASON_FORBIDDEN, REASON_FORBIDDEN}},
        {{1, CALLER_ADMIN},
         false, {REASON_FORBIDDEN, REASON_NONE, REASON_NONE, REASON_NONE, REASON_FORBIDDEN}          },
        {{0, CALLER_SERVICE},
         false, {REASON_FORBIDDEN, REASON_NONE, REASON_FORBIDDEN, REASON_FORBIDDEN, REASON_NONE}     },
        {{0, CALLER_NOBODY},
         true,  {REASON_UNAUTHENTICATED, REASON_NONE, REASON_UNAUTHENTICATED, REASON_UNAUTHENTICATED,
          REASON_NONE}                                                                 },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        for (int rule = ACCESS_NOBODY; rule <= ACCESS_SERVICE; rule++) {
            struct status st = access_check((enum access)rule, rows[i].caller, rows[i].saga);
            cr_expect_eq(st.reason, rows[i].answers[rule], "row %zu, rule %d: %s", i, rule,
                         reason_word(st.reason));
        }
}
