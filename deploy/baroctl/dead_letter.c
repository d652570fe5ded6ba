// Events that an outside sink did not take, as their owner shows them. --json has their payloads too.

#include "deploy/baroctl/commands.h"
#include "deploy/baroctl/listing.h"
#include "deploy/baroctl/output.h"
#include "lib/base/text.h"

static const struct column LIST[] = {
    {"ID",       "id"        },
    {"SINK",     "sink"      },
    {"STATE",    "state"     },
    {"KIND",     "kind"      },
    {"ORDER",    "order_id"  },
    {"ATTEMPTS", "attempts"  },
    {"CREATED",  "created_at"},
    {"ERROR",    "error"     },
};

static void show_letters(const json_t *letters)
{
    output_table(stdout, LIST, COUNT(LIST), letters);
}

enum exit_code dead_letter_list_run(const struct arguments *arguments, struct arena *arena)
{
    struct text_buffer query;
    text_buffer_init(&query, arena, 128);
    text_append(&query, "/admin/dead-letters?");
    if (arguments->state)
        text_appendf(&query, "state=%s&", listing_escape(arguments->state, arena));
    if (arguments->sink)
        text_appendf(&query, "sink=%s&", listing_escape(arguments->sink, arena));
    return listing_run("dead-letter list", query.data, arguments, show_letters, arena);
}

enum exit_code dead_letter_replay_run(const struct arguments *arguments, struct arena *arena)
{
    static const struct errand replay = {"dead-letter replay", "POST",
                                         "/admin/dead-letters/{id}/replay", show_letters};
    return errand_run(&replay, arguments, arena);
}
