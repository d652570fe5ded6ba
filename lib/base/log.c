// A line is built in a small arena of its own and handed to the kernel in one write.
//
// Invariant: a line is at most PIPE_BUF bytes. A pipe that poll calls writable takes that much
// without blocking and without mixing it with the lines of others; so standard error, which other
// processes may share, need not be made non-blocking. The lock keeps two threads of this process
// from spending the same room. A field that does not fit is left out and the line says so.

#include "lib/base/log.h"

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/base/text.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum {
    VALUE_LIMIT = 1024,
    LINE_LIMIT = PIPE_BUF,
    CUT_MARK_SIZE = 32, // room for the mark and the end of the line
};

static const char *const level_words[] = {
    [LOG_LEVEL_DEBUG] = "debug", [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_OFF] = "off",
};

static const char *process_name = "baro";
static enum log_level lowest = LOG_LEVEL_INFO;
static struct metric *dropped;
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;

// How the two kinds of line spell the same things.
struct style {
    const char *separator, *before_name, *after_name, *cut_mark, *end;
};
static const struct style json_style = {",", "\"", "\":", ",\"cut\":true", "}\n"};
static const struct style plain_style = {" ", "", "=", " cut=true", "\n"};

void log_init(const char *process, enum log_level level)
{
    process_name = process;
    lowest = level;
    dropped = metrics_counter("baro_log_dropped_total",
                              "Log lines that standard error did not take.", NULL);
}

bool log_level_parse(const char *word, enum log_level *level)
{
    for (size_t i = 0; i < COUNT(level_words); i++)
        if (strcmp(level_words[i], word) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}

log_field log_status(struct status st)
{
    return (log_field){.kind = LOG_FIELD_STATUS,
                       .name = "error",
                       .number = (int64_t)st.code << 32 | (int64_t)st.reason,
                       .text = st.message ? st.message : ""};
}

// Cuts a long value, and not inside a character.
static void append_text(struct text_buffer *line, const char *text)
{
    size_t length = strnlen(text, VALUE_LIMIT + 1);
    if (length > VALUE_LIMIT)
        for (length = VALUE_LIMIT; length > 0 && ((uint8_t)text[length] & 0xC0) == 0x80;)
            length--;
    text_append_json(line, text, length);
}

static void append_status(struct text_buffer *line, const log_field *field)
{
    enum status_code code = (enum status_code)(field->number >> 32);
    enum reason reason = (enum reason)(field->number & INT32_MAX);
    append_text(line, text_printf(line->arena, "%s%s%s%s%s", status_code_name(code),
                                  reason == REASON_NONE ? "" : " ", reason_word(reason),
                                  *field->text ? " " : "", field->text));
}

static void append_value(struct text_buffer *line, const log_field *field)
{
    switch (field->kind) {
    case LOG_FIELD_INT:
        text_append_int64(line, field->number);
        break;
    case LOG_FIELD_TEXT:
        append_text(line, field->text);
        break;
    case LOG_FIELD_STATUS:
        append_status(line, field);
        break;
    case LOG_FIELD_END:
        break;
    }
}

static void append_fields(struct text_buffer *line, const struct style *style,
                          const log_field *fields)
{
    bool cut = false;
    for (const log_field *field = fields; field->kind != LOG_FIELD_END; field++) {
        size_t before = line->length;
        text_append(line, style->separator);
        text_append(line, style->before_name);
        text_append(line, field->name);
        text_append(line, style->after_name);
        append_value(line, field);
        if (line->length > LINE_LIMIT - CUT_MARK_SIZE) {
            line->length = before;
            line->data[before] = '\0';
            cut = true;
        }
    }
    text_append(line, cut ? style->cut_mark : "");
    text_append(line, style->end);
}

static void append_json_head(struct text_buffer *line, enum log_level level, const char *event)
{
    text_append(line, "{\"time\":\"");
    text_append(line, text_from_time(line->arena, clock_realtime_us()));
    text_append(line, "\",\"level\":\"");
    text_append(line, level_words[level]);
    text_append(line, "\",\"process\":");
    append_text(line, process_name);
    text_append(line, ",\"event\":");
    append_text(line, event);
}

static void append_plain_head(struct text_buffer *line, enum log_level level, const char *event)
{
    const char *time = text_from_time(line->arena, clock_realtime_us());
    text_appendf(line, "%.8s %-5s %s: %s", time + strlen("2026-11-21T"), level_words[level],
                 process_name, event);
}

// One write, or none when it would block or nobody reads.
static bool write_line(const struct text_buffer *line)
{
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    pthread_mutex_lock(&write_lock);
    bool writable = poll(&room, 1, 0) == 1 && room.revents == POLLOUT;
    bool written = writable && write(STDERR_FILENO, line->data, line->length) >= 0;
    pthread_mutex_unlock(&write_lock);
    return written;
}

void log_write(enum log_level level, const char *event, const log_field *fields)
{
    if (level < lowest)
        return;
    SCOPED(arena) *arena = arena_create();
    struct text_buffer line;
    text_buffer_init(&line, arena, 512);
    bool plain = isatty(STDERR_FILENO);
    if (plain)
        append_plain_head(&line, level, event);
    else
        append_json_head(&line, level, event);
    append_fields(&line, plain ? &plain_style : &json_style, fields);
    if (!write_line(&line) && dropped)
        metric_add(dropped, 1);
}

bool log_once_per(struct log_throttle *throttle, int64_t period_ms)
{
    int64_t now_us = clock_monotonic_us();
    int64_t next_us = throttle->next_us;
    return now_us >= next_us && atomic_compare_exchange_strong(&throttle->next_us, &next_us,
                                                               now_us + period_ms * US_PER_MS);
}
