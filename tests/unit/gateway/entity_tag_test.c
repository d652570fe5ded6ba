// Entity tags: what the same is, and what a client says that it has.

#include "gateway/entity_tag.h"

#include "lib/base/macros.h"

#include <criterion/criterion.h>
#include <string.h>

Test(entity_tag, the_same_bytes_have_the_same_strong_tag)
{
    char one[ENTITY_TAG_SIZE], same[ENTITY_TAG_SIZE], other[ENTITY_TAG_SIZE];
    entity_tag_make("{\"id\":1}", 8, one);
    entity_tag_make("{\"id\":1}", 8, same);
    entity_tag_make("{\"id\":2}", 8, other);
    cr_assert_str_eq(one, same);
    cr_assert_str_neq(one, other);
    cr_assert_eq(strlen(one), ENTITY_TAG_SIZE - 1);
    cr_assert(one[0] == '"' && one[ENTITY_TAG_SIZE - 2] == '"');
}

Test(entity_tag, a_client_may_know_it_in_many_ways)
{
    static const struct {
        const char *header;
        bool known;
    } rows[] = {
        {NULL,                     false},
        {"",                       false},
        {"*",                      true },
        {"\"a\"",                  true },
        {"W/\"a\"",                true },
        {"\"b\", \"a\"",           true },
        {"\"b\",\"a\"",            true },
        {"W/\"b\" ,\tW/\"a\"",     true },
        {", , \"a\"",              true },
        {"\"b\", W/\"c\"",         false},
        {"\"A\"",                  false},
        {"a",                      false},
        {"\"a",                    false},
        {"w/\"a\"",                false},
        {"\"a\"b",                 true },
        {"\"b\" \"a\"",            false}, // no comma
        {"\"b, \\\"a\\\"\"",       false}, // a tag that has the letters inside
        {"*, \"a\"",               false}, // "*" stands alone
        {"\"\"",                   false},
        {"\"aa\", \"ab\", \"ba\"", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_eq(entity_tag_is_known(rows[i].header, "\"a\""), rows[i].known, "%s",
                     rows[i].header);
}
