// Log lines with what a client has sent in their fields: always one line, and that line is one JSON
// document, as long as the pipe takes it in one write.

#include "lib/base/log.h"
#include "tests/fuzz/fuzz.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

static int lines[2], own_stderr;

static void start(void)
{
    int made = pipe(lines);
    own_stderr = dup(STDERR_FILENO);
    assert(made == 0 && own_stderr >= 0);
    log_init("fuzz", LOG_LEVEL_DEBUG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = input_arena();
    struct input input = input_of(data, size);
    char line[PIPE_BUF + 1];
    if (!own_stderr)
        start();
    int64_t number = input_number(&input);
    struct status st = refuse((enum reason)(1 + input_below(&input, REASON_COUNT - 1)),
                              input_line(&input, arena, NULL));
    const char *first = input_line(&input, arena, NULL), *second = input_rest(&input, arena, NULL);

    dup2(lines[1], STDERR_FILENO);
    log_error("fuzzed", log_int("number", number), log_status(st), log_text("first", first),
              log_text("second", second));
    dup2(own_stderr, STDERR_FILENO);

    ssize_t length = read(lines[0], line, sizeof(line));
    assert(length > 0 && length <= PIPE_BUF);
    assert(memchr(line, '\n', (size_t)length) == line + length - 1);
    assert(is_json(line, (size_t)length - 1));
    return 0;
}
