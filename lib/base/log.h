#pragma once
// One line an event, to standard error: JSON, or plain text on a terminal.
//
// Libraries return errors; programs log them, once. Values are escaped and cut at 1 KiB, so that
// nothing a client sends can forge a line. Writing never blocks: a full pipe drops the line and
// counts it.
//
//     log_warn("saga taken over", log_int("saga_id", id), log_text("from", owner));

#include "lib/base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_OFF };

enum log_field_kind { LOG_FIELD_END, LOG_FIELD_INT, LOG_FIELD_TEXT, LOG_FIELD_STATUS };

typedef struct log_field {
    enum log_field_kind kind;
    const char *name;
    int64_t number;
    const char *text;
} log_field;

static inline log_field log_int(const char *name, int64_t value)
{
    return (log_field){.kind = LOG_FIELD_INT, .name = name, .number = value};
}

static inline log_field log_text(const char *name, const char *value)
{
    return (log_field){.kind = LOG_FIELD_TEXT, .name = name, .text = value ? value : ""};
}

// "CODE REASON message" of a status as the field "error".
log_field log_status(struct status st);

// Sets the process name and the lowest level that is written. Call once, before threads start.
void log_init(const char *process, enum log_level level);

// Parses "debug|info|warn|error|off".
bool log_level_parse(const char *word, enum log_level *level);

// Writes one event; fields end with one of kind LOG_FIELD_END. Use the macros below.
void log_write(enum log_level level, const char *event, const log_field *fields);

// True at most once per period for one place: for events that a peer could repeat at will.
//     static struct log_throttle noise;  if (log_once_per(&noise, LOG_PERIOD_MS)) log_warn(..)
enum { LOG_PERIOD_MS = 60 * 1000 };
struct log_throttle {
    _Atomic int64_t next_us;
};
bool log_once_per(struct log_throttle *throttle, int64_t period_ms);

#define LOG_EVENT(level, ...) LOG_EVENT_(level, __VA_ARGS__, (log_field){.kind = LOG_FIELD_END})
#define LOG_EVENT_(level, event, ...) log_write(level, event, (const log_field[]){__VA_ARGS__})
#define log_debug(...) LOG_EVENT(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) LOG_EVENT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...) LOG_EVENT(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) LOG_EVENT(LOG_LEVEL_ERROR, __VA_ARGS__)
