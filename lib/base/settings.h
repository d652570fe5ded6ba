#pragma once
// Settings are environment variables; each process has one table of them, with defaults.
//
// `--help` prints the table. A bad value is one clear line that names the variable, the value and
// what would be right, and exit status 2. Secrets are never printed.

#include "lib/base/arena.h"
#include "lib/base/status.h"

#include <stddef.h>
#include <stdint.h>

enum setting_type {
    SETTING_TEXT,    // const char *
    SETTING_SECRET,  // const char *, never printed, of min characters; NAME_FILE may name its file
    SETTING_LISTEN,  // const char *: "tcp://HOST:PORT", "tls+tcp://HOST:PORT" or "ipc:///path"
    SETTING_PEERS,   // const char *: such addresses, separated by commas
    SETTING_ADDRESS, // const char *: "HOST:PORT"
    SETTING_OPS_ADDRESS, // const char *: "HOST:PORT" or "off"
    SETTING_POSTGRES,    // const char *, as secret as one: "postgresql://.."
    SETTING_REDIS,       // the same: "redis://.." or "unix:///path"
    SETTING_INTEGER,     // int64_t inside [min, max]
    SETTING_BOOLEAN,     // bool: on|off|true|false|1|0
    SETTING_DURATION_MS, // int64_t milliseconds: "500ms", "10s", "5m", "2h", "1d"; "off": 0
    SETTING_RATE,        // struct setting_rate: "5/60s" or "off"
    SETTING_LOG_LEVEL,   // enum log_level
};

// "count per window"; count 0 means off.
struct setting_rate {
    int64_t count;
    int64_t window_ms;
};

struct setting {
    const char *name; // "BARO_HTTP_ADDRESS"
    enum setting_type type;
    const char *default_value; // as text; NULL: the setting is required
    size_t offset;             // where in the settings structure the value goes
    int64_t min, max;          // SETTING_INTEGER and SETTING_DURATION_MS; both 0: any; min: SECRET
    const char *help;
};

// The exit status of a process whose settings are wrong.
enum { EXIT_BAD_SETTING = 2 };

// The boolean row of processes that may run with the secrets that this repository publishes; where it is
// off they are refused.
#define SETTING_DEMO "BARO_DEMO"

// Reads the table from the environment into the structure at `into`; text is copied into arena.
// INVALID_ARGUMENT with a message that names variable, value and remedy.
struct status settings_load(const struct setting *table, size_t count, struct arena *arena,
                            void *into);

// Prints the table: name, default, help.
void settings_print(const struct setting *table, size_t count);

// Loads the table, or ends the process: prints the table and exits 0 for `--help`, prints the
// version for `--version`, prints one line and exits 2 for a bad value or argument.
void settings_load_or_exit(int argc, char **argv, const struct setting *table, size_t count,
                           struct arena *arena, void *into);
