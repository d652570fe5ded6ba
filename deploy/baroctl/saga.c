// Sagas as their owner shows them. A saga that is asked for by id and refused does not keep the others
// from being tried.

#include "deploy/baroctl/commands.h"
#include "deploy/baroctl/gateway.h"
#include "deploy/baroctl/listing.h"
#include "deploy/baroctl/output.h"
#include "lib/base/text.h"

static const struct column LIST[] = {
    {"ID",       "id"        },
    {"KIND",     "kind"      },
    {"ORDER",    "order_id"  },
    {"STATE",    "state"     },
    {"STEP",     "step"      },
    {"ATTEMPTS", "attempts"  },
    {"PARKED",   "parked"    },
    {"CREATED",  "created_at"},
    {"UPDATED",  "updated_at"},
};

static const struct column STEPS[] = {
    {"STEP",     "name"       },
    {"OP",       "op"         },
    {"OUTCOME",  "outcome"    },
    {"ATTEMPTS", "attempts"   },
    {"STARTED",  "started_at" },
    {"FINISHED", "finished_at"},
};

static void show_saga(const json_t *saga)
{
    output_object(stdout, LIST, COUNT(LIST), saga);
    putchar('\n');
    output_table(stdout, STEPS, COUNT(STEPS), json_object_get(saga, "steps"));
}

static void show_sagas(const json_t *sagas)
{
    size_t i;
    const json_t *saga;
    json_array_foreach (sagas, i, saga) {
        if (i)
            putchar('\n');
        show_saga(saga);
    }
}

static void list_sagas(const json_t *sagas)
{
    output_table(stdout, LIST, COUNT(LIST), sagas);
}

enum exit_code saga_list_run(const struct arguments *arguments, struct arena *arena)
{
    struct text_buffer query;
    text_buffer_init(&query, arena, 128);
    text_append(&query, "/admin/sagas?");
    if (arguments->state)
        text_appendf(&query, "state=%s&", listing_escape(arguments->state, arena));
    if (arguments->parked)
        text_append(&query, "parked=true&");
    if (arguments->order_id)
        text_appendf(&query, "order_id=%lld&", (long long)arguments->order_id);
    return listing_run("saga list", query.data, arguments, list_sagas, arena);
}

enum exit_code saga_show_run(const struct arguments *arguments, struct arena *arena)
{
    static const struct errand show = {"saga show", "GET", "/admin/sagas/{id}", show_sagas};
    return errand_run(&show, arguments, arena);
}

enum exit_code saga_retry_run(const struct arguments *arguments, struct arena *arena)
{
    static const struct errand retry = {"saga retry", "POST", "/admin/sagas/{id}/retry",
                                        list_sagas};
    return errand_run(&retry, arguments, arena);
}
