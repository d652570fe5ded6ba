#include "lib/base/log.h"

#include "lib/base/arena.h"
#include "lib/base/macros.h"
#include "lib/base/metrics.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Each test has standard error go into a pipe whose other end is `reader`.
static int reader;

static void given_stderr_into_a_pipe(void)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    reader = ends[0];
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_init("baro-test", LOG_LEVEL_INFO);
}

TestSuite(log, .init = given_stderr_into_a_pipe);

// Everything that was written, after closing the writing end.
static char *written(void)
{
    static char text[1 << 20];
    size_t length = 0;
    close(STDERR_FILENO);
    for (ssize_t n; (n = read(reader, text + length, sizeof(text) - 1 - length)) > 0;)
        length += (size_t)n;
    text[length] = '\0';
    return text;
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

// The one line that was written, parsed.
static json_t *the_line(void)
{
    const char *text = written();
    cr_assert_eq(count_lines(text), 1, "%s", text);
    json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(line, "%s", text);
    return line;
}

static const char *field(const json_t *line, const char *name)
{
    const char *text = json_string_value(json_object_get(line, name));
    return text ? text : "(missing)";
}

static int64_t dropped_lines(void)
{
    return metric_value(metrics_counter("baro_log_dropped_total", "", NULL));
}

Test(log, writes_an_event_as_one_json_line)
{
    log_warn("saga taken over", log_int("saga_id", INT64_MIN), log_text("from", "order-1"));
    json_t *line = the_line();
    cr_assert_str_eq(field(line, "level"), "warn");
    cr_assert_str_eq(field(line, "process"), "baro-test");
    cr_assert_str_eq(field(line, "event"), "saga taken over");
    cr_assert_str_eq(field(line, "from"), "order-1");
    cr_assert_eq(json_integer_value(json_object_get(line, "saga_id")), INT64_MIN);
    cr_assert_eq(strncmp(field(line, "time"), "20", 2), 0);
    json_decref(line);
}

Test(log, takes_an_event_without_fields_and_a_null_text)
{
    log_info("ready");
    log_error("odd", log_text("name", NULL));
    cr_assert_eq(count_lines(written()), 2);
}

Test(log, cannot_be_made_to_forge_a_line)
{
    const char *attack = "x\"}\n{\"level\":\"error\",\"event\":\"forged\"}\r\x1b[2J\x7f";
    log_info("login failed", log_text("email", attack));
    json_t *line = the_line();
    cr_assert_str_eq(field(line, "event"), "login failed");
    cr_assert_str_eq(field(line, "email"), attack);
    json_decref(line);
}

Test(log, cuts_a_long_value_between_two_characters)
{
    char text[4096] = "";
    for (int i = 0; i < 1000; i++)
        strcat(text, "한"); // three bytes each: 1,024 falls inside one
    log_info("long", log_text("value", text));
    json_t *line = the_line();
    cr_assert_eq(strlen(field(line, "value")), 1023);
    json_decref(line);
}

Test(log, leaves_out_what_would_make_a_line_longer_than_a_pipe_takes_at_once)
{
    char text[1025];
    memset(text, '\x01', sizeof(text) - 1); // each becomes six characters
    text[1024] = '\0';
    log_info("noise", log_text("a", text), log_int("b", 2));
    char *line_text = written();
    cr_assert_leq(strlen(line_text), PIPE_BUF);
    json_t *line = json_loads(line_text, 0, NULL);
    cr_assert_not_null(line);
    cr_assert_null(json_object_get(line, "a"));
    cr_assert_eq(json_integer_value(json_object_get(line, "b")), 2);
    cr_assert(json_is_true(json_object_get(line, "cut")));
    json_decref(line);
}

Test(log, names_code_reason_and_message_of_a_status)
{
    log_error("refund failed", log_status(refuse(REASON_UNAVAILABLE, "no replica")));
    json_t *line = the_line();
    cr_assert_str_eq(field(line, "error"), "UNAVAILABLE UNAVAILABLE no replica");
    json_decref(line);
}

Test(log, names_a_status_without_reason_or_message_by_its_code)
{
    log_error("odd", log_status((struct status){.code = STATUS_DATA_LOSS}));
    json_t *line = the_line();
    cr_assert_str_eq(field(line, "error"), "DATA_LOSS");
    json_decref(line);
}

Test(log, leaves_out_events_below_the_level)
{
    log_debug("quiet");
    log_init("baro-test", LOG_LEVEL_OFF);
    log_error("quiet");
    log_init("baro-test", LOG_LEVEL_ERROR);
    log_warn("quiet");
    log_error("loud");
    json_t *line = the_line();
    cr_assert_str_eq(field(line, "event"), "loud");
    json_decref(line);
}

static void fill_the_pipe(void)
{
    static const char page[PIPE_BUF];
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
    while (write(STDERR_FILENO, page, sizeof(page)) > 0)
        ;
    fcntl(STDERR_FILENO, F_SETFL, flags);
}

Test(log, drops_and_counts_a_line_when_nobody_empties_the_pipe, .timeout = 10)
{
    fill_the_pipe();
    log_error("lost");
    log_error("lost too");
    cr_assert_eq(dropped_lines(), 2);
    cr_assert_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0, "others share standard error");
}

static pthread_barrier_t start;

static void *log_a_long_line(void *text)
{
    pthread_barrier_wait(&start);
    log_info("long", log_text("a", text), log_text("b", text), log_text("c", text));
    return NULL;
}

Test(log, never_blocks_when_threads_compete_for_the_last_room, .timeout = 30)
{
    char value[1001] = "", page[PIPE_BUF];
    memset(value, 'v', sizeof(value) - 1);
    pthread_barrier_init(&start, NULL, 4);
    for (int round = 0; round < 300; round++) {
        pthread_t writers[4];
        fill_the_pipe();
        cr_assert_eq(read(reader, page, sizeof(page)), PIPE_BUF); // room for one line
        for (size_t i = 0; i < COUNT(writers); i++)
            pthread_create(&writers[i], NULL, log_a_long_line, value);
        for (size_t i = 0; i < COUNT(writers); i++)
            pthread_join(writers[i], NULL);
    }
}

Test(log, outlives_the_reader_of_its_lines)
{
    close(reader);
    log_error("nobody hears this");
    cr_assert_eq(dropped_lines(), 1);
}

static void *log_a_hundred_lines(void *text)
{
    for (int i = 0; i < 100; i++)
        log_info("busy", log_text("text", text));
    return NULL;
}

static void *read_everything(void *text)
{
    char *at = text;
    for (ssize_t n; (n = read(reader, at, 65536)) > 0;)
        at += n;
    *at = '\0';
    return NULL;
}

Test(log, keeps_the_lines_of_threads_whole, .timeout = 30)
{
    static char text[1 << 20];
    char value[801] = "";
    memset(value, 'v', sizeof(value) - 1);
    pthread_t drain, writers[4];
    pthread_create(&drain, NULL, read_everything, text);
    for (size_t i = 0; i < COUNT(writers); i++)
        pthread_create(&writers[i], NULL, log_a_hundred_lines, value);
    for (size_t i = 0; i < COUNT(writers); i++)
        pthread_join(writers[i], NULL);
    close(STDERR_FILENO);
    pthread_join(drain, NULL);

    int64_t lines = 0;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line; lines++) {
        json_t *parsed = json_loads(line, 0, NULL);
        cr_assert_not_null(parsed, "%s", line);
        json_decref(parsed);
    }
    cr_assert_eq(lines + dropped_lines(), 400);
}

Test(log, is_plain_on_a_terminal)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
        cr_skip_test("no terminals here");
    int end = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    cr_assert_geq(end, 0);
    dup2(end, STDERR_FILENO);
    log_warn("low stock", log_int("option", 7), log_text("name", "a\nb"));
    char line[256] = "";
    cr_assert_gt(read(terminal, line, sizeof(line) - 1), 0);
    cr_assert_not_null(strstr(line, " warn  baro-test: low stock option=7 name=\"a\\nb\"\r\n"),
                       "%s", line);
    cr_assert_eq(strspn(line, "0123456789:"), 8, "starts with the time of day: %s", line);
}

Test(log, reads_its_levels)
{
    enum log_level level = LOG_LEVEL_OFF;
    cr_assert(log_level_parse("debug", &level));
    cr_assert_eq(level, LOG_LEVEL_DEBUG);
    cr_assert(log_level_parse("off", &level));
    cr_assert_eq(level, LOG_LEVEL_OFF);
    cr_assert_not(log_level_parse("WARN", &level));
    cr_assert_not(log_level_parse("", &level));
}

Test(log, throttles_what_a_peer_could_repeat)
{
    static struct log_throttle hourly, always;
    cr_assert(log_once_per(&hourly, 3600000));
    cr_assert_not(log_once_per(&hourly, 3600000));
    cr_assert_not(log_once_per(&hourly, 3600000));
    cr_assert(log_once_per(&always, 0));
    cr_assert(log_once_per(&always, 0));
}
