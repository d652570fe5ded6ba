// One write a line to a file that is opened for appending: lines of many writers never mix.

#include "tests/support/transcript.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// "/api/v1/me" of "http://127.0.0.1:8080/api/v1/me"
static const char *path_of(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = strchr(host ? host + 3 : url, '/');
    return path ? path : "/";
}

static char *make_line(const struct exchange *exchange)
{
    json_t *request =
        exchange->request ? json_loads(exchange->request, JSON_DECODE_ANY, NULL) : NULL;
    json_t *response = exchange->response ? json_deep_copy(exchange->response) : NULL;
    json_t *line =
        json_pack("{s:s, s:s, s:I, s:s, s:o, s:o}", "method", exchange->method, "path",
                  path_of(exchange->url), "status", (json_int_t)exchange->status, "type",
                  exchange->type ? exchange->type : "", "request", request ? request : json_null(),
                  "response", response ? response : json_null());
    assert(line);
    char *text = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    char *ended;
    int length = asprintf(&ended, "%s\n", text);
    assert(length > 0);
    free(text);
    return ended;
}

void transcript_note(const struct exchange *exchange)
{
    const char *name = getenv("BARO_TEST_TRANSCRIPT");
    if (!name || exchange->status == 0)
        return;
    int fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    assert(fd >= 0);
    char *line = make_line(exchange);
    ssize_t written = write(fd, line, strlen(line));
    assert(written == (ssize_t)strlen(line));
    free(line);
    close(fd);
}
