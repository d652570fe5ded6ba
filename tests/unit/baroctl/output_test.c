#include "deploy/baroctl/output.h"
#include "lib/base/macros.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

static const struct column COLUMNS[] = {
    {"ID",     "id"    },
    {"NAME",   "name"  },
    {"PARKED", "parked"},
};

struct page {
    char *text;
    size_t size;
    FILE *file;
};

static void open_page(struct page *page)
{
    page->file = open_memstream(&page->text, &page->size);
    cr_assert(page->file);
}

static void expect_page(struct page *page, const char *text)
{
    fclose(page->file);
    cr_expect_str_eq(page->text, text, "%s", page->text);
    free(page->text);
}

static void expect_table(const char *rows, const char *text)
{
    SCOPED_JSON *json = json_loads(rows, 0, NULL);
    struct page page;
    open_page(&page);
    output_table(page.file, COLUMNS, COUNT(COLUMNS), json);
    expect_page(&page, text);
}

Test(baroctl_output, columns_are_as_wide_as_their_widest_cell_and_numbers_stand_at_the_right)
{
    expect_table("[{\"id\": 7, \"name\": \"pay\", \"parked\": true},"
                 " {\"id\": 1234, \"name\": \"refund\", \"parked\": false}]",
                 "  ID  NAME    PARKED\n"
                 "   7  pay     yes\n"
                 "1234  refund  \n");
}

Test(baroctl_output, hangul_takes_two_columns)
{
    cr_assert(setlocale(LC_CTYPE, "C.UTF-8"));
    expect_table("[{\"id\": 1, \"name\": \"바로\", \"parked\": true},"
                 " {\"id\": 2, \"name\": \"abcdef\"}]",
                 "ID  NAME    PARKED\n"
                 " 1  바로    yes\n"
                 " 2  abcdef  \n");
}

Test(baroctl_output, nothing_to_show_is_said)
{
    expect_table("[]", "none\n");
}

Test(baroctl_output, an_object_shows_the_members_that_have_a_value)
{
    SCOPED_JSON *json = json_loads("{\"id\": 3, \"name\": null, \"parked\": true}", 0, NULL);
    struct page page;
    open_page(&page);
    output_object(page.file, COLUMNS, COUNT(COLUMNS), json);
    expect_page(&page, "ID      3\nPARKED  yes\n");
}

Test(baroctl_output, bad_arguments_end_otherwise_than_refusals)
{
    cr_expect_eq(complain("test", invalid("x", "must be y")), EXIT_USAGE);
    cr_expect_eq(complain("test", refuse(REASON_SAGA_NOT_FOUND, NULL)), EXIT_WRONG);
}
