#include "deploy/baroctl/progress.h"

#include "lib/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { BAR = 30, SHOW_EVERY_MS = 100, LINE_MAX_LENGTH = 160 };
static const char CLEAR[] = "\r\033[K";

void progress_start(struct progress *progress, const char *what, int64_t total)
{
    *progress = (struct progress){
        .what = what,
        .total = total,
        .started_us = clock_monotonic_us(),
        .terminal = isatty(STDERR_FILENO),
    };
}

void progress_line(const struct progress *progress, int64_t done, int64_t now_us, char *text,
                   unsigned size)
{
    char bar[BAR + 1];
    int64_t total = progress->total ? progress->total : 1;
    int64_t left_s = done ? (now_us - progress->started_us) / done * (total - done) / US_PER_S : 0;
    for (int i = 0; i < BAR; i++)
        bar[i] = (int64_t)i * total < done * BAR ? '#' : ' ';
    bar[BAR] = '\0';
    snprintf(text, size, "[%s] %3" PRId64 " %%  %" PRId64 " of %" PRId64 " %s, %" PRId64 " s left",
             bar, done * 100 / total, done, progress->total, progress->what, left_s);
}

void progress_show(struct progress *progress, int64_t done)
{
    char line[LINE_MAX_LENGTH];
    int64_t now_us = clock_monotonic_us();
    if (!progress->terminal || now_us - progress->shown_us < SHOW_EVERY_MS * US_PER_MS)
        return;
    progress->shown_us = now_us;
    progress_line(progress, done, now_us, line, sizeof(line));
    fprintf(stderr, "%s%s", CLEAR, line);
}

void progress_say(struct progress *progress, const char *what)
{
    if (progress->terminal)
        fprintf(stderr, "%s%s", CLEAR, what);
}

void progress_end(struct progress *progress)
{
    progress_say(progress, "");
}
