#include "deploy/baroctl/listing.h"

#include "deploy/baroctl/gateway.h"
#include "deploy/baroctl/output.h"
#include "lib/base/text.h"

#include <ctype.h>
#include <string.h>

enum { PAGE_MAX = 100 };

static const char SLOT[] = "{id}";

static enum exit_code show_result(const struct arguments *arguments, show_items *show,
                                  json_t *items)
{
    if (!arguments->json) {
        show(items);
        return EXIT_DONE;
    }
    SCOPED_JSON *document = json_pack("{s: O}", "items", items);
    output_json(stdout, document);
    return EXIT_DONE;
}

// Appends one page; *token is where the next begins, "" at the end.
static struct status read_page(struct gateway *gateway, const char *path, size_t wanted,
                               struct arena *arena, const char **token, json_t *items)
{
    json_t *reply = NULL;
    struct status st = gateway_call(gateway, "GET",
                                    text_printf(arena, "%spage_size=%zu&page_token=%s", path,
                                                wanted < PAGE_MAX ? wanted : PAGE_MAX,
                                                listing_escape(*token, arena)),
                                    NULL, &reply);
    SCOPED_JSON *page = reply;
    if (failed(st))
        return st;
    json_array_extend(items, json_object_get(page, "items"));
    const char *next = json_string_value(json_object_get(page, "next_page_token"));
    *token = text_copy(arena, next ? next : "");
    return OK;
}

enum exit_code listing_run(const char *command, const char *path, const struct arguments *arguments,
                           show_items *show, struct arena *arena)
{
    SCOPED(gateway) *gateway = NULL;
    SCOPED_JSON *items = json_array();
    size_t limit = (size_t)arguments->limit;
    const char *token = "";
    struct status st = gateway_open(arguments->gateway, arena, &gateway);
    do {
        if (!failed(st))
            st = read_page(gateway, path, limit - json_array_size(items), arena, &token, items);
    } while (!failed(st) && *token && json_array_size(items) < limit);
    return failed(st) ? complain(command, st) : show_result(arguments, show, items);
}

static bool run_errand(struct gateway *gateway, const char *command, const char *method,
                       const char *path, json_t *items)
{
    json_t *reply = NULL;
    struct status st = gateway_call(gateway, method, path, NULL, &reply);
    if (failed(st)) {
        complain(command, st);
        return false;
    }
    json_array_append_new(items, reply);
    return true;
}

enum exit_code errand_run(const struct errand *errand, const struct arguments *arguments,
                          struct arena *arena)
{
    SCOPED(gateway) *gateway = NULL;
    SCOPED_JSON *items = json_array();
    struct status st = gateway_open(arguments->gateway, arena, &gateway);
    bool all = true;

    if (failed(st))
        return complain(errand->command, st);
    for (size_t i = 0; i < arguments->id_count; i++) {
        const char *id = text_printf(arena, "%lld", (long long)arguments->ids[i]);
        const char *command = text_printf(arena, "%s %s", errand->command, id);
        const char *slot = strstr(errand->path, SLOT);
        const char *path = text_printf(arena, "%.*s%s%s", (int)(slot - errand->path), errand->path,
                                       id, slot + strlen(SLOT));
        all &= run_errand(gateway, command, errand->method, path, items);
    }
    if (json_array_size(items) || arguments->json)
        show_result(arguments, errand->show, items);
    return all ? EXIT_DONE : EXIT_WRONG;
}

const char *listing_escape(const char *text, struct arena *arena)
{
    struct text_buffer escaped;
    text_buffer_init(&escaped, arena, strlen(text) + 1);
    for (; *text; text++)
        if (isalnum((unsigned char)*text) || strchr("-._~", *text))
            text_append_char(&escaped, *text);
        else
            text_appendf(&escaped, "%%%02X", (unsigned char)*text);
    return escaped.data;
}
