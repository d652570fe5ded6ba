// One thread and curl's multi interface. Members are looked through in a row: a crowd is some thousands.

#include "deploy/baroctl/crowd.h"

#include "deploy/baroctl/output.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { TIMEOUT_MS = 60000, POLL_MS = 5, DESCRIPTORS = 64, REPLY_SIZE = 2048 };

struct member {
    CURL *curl;
    struct curl_slist *headers;
    struct text_buffer reply;
    bool busy, finished;
    int64_t not_before_us;
    size_t index;
};

struct crowd {
    const char *url;
    CURLM *multi;
    struct member *members;
    size_t count, busy, at_once, finished;
    struct arena *arena;
    crowd_next *next;
    crowd_answered *answered;
    void *arg;
};

// A connection for each member.
static void raise_descriptor_limit(size_t members)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= members + DESCRIPTORS)
        return;
    rlim_t wanted = members + DESCRIPTORS;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static size_t collect(char *bytes, size_t size, size_t count, void *into)
{
    text_append_n(into, bytes, size * count);
    return size * count;
}

static void add_header(struct crowd *crowd, struct member *member, const char *name,
                       const char *value)
{
    if (value)
        member->headers =
            curl_slist_append(member->headers, text_printf(crowd->arena, "%s: %s", name, value));
}

static void start(struct crowd *crowd, struct member *member, const struct crowd_request *request)
{
    CURL *curl = member->curl;
    text_buffer_init(&member->reply, crowd->arena, REPLY_SIZE);
    curl_slist_free_all(member->headers);
    member->headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (request->token)
        add_header(crowd, member, "Authorization",
                   text_printf(crowd->arena, "Bearer %s", request->token));
    add_header(crowd, member, "Idempotency-Key", request->key);
    add_header(crowd, member, "Prefer", request->prefer);
    curl_easy_reset(curl); // the connection stays
    curl_easy_setopt(curl, CURLOPT_URL,
                     text_printf(crowd->arena, "%s/api/v1%s", crowd->url, request->path));
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, member->headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &member->reply);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, member);
    if (request->body)
        curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, request->body);
    member->busy = true;
    crowd->busy++;
    curl_multi_add_handle(crowd->multi, curl);
}

static void start_who_can(struct crowd *crowd)
{
    int64_t now_us = clock_monotonic_us();
    for (size_t i = 0; i < crowd->count && crowd->busy < crowd->at_once; i++) {
        struct member *member = &crowd->members[i];
        struct crowd_request request = {0};
        if (member->busy || member->finished || member->not_before_us > now_us)
            continue;
        if (crowd->next(crowd->arg, i, &request)) {
            start(crowd, member, &request);
        } else {
            member->finished = true;
            crowd->finished++;
        }
    }
}

static void take_answer(struct crowd *crowd, CURL *curl, CURLcode code)
{
    struct member *member;
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_PRIVATE, &member);
    if (code == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(crowd->multi, curl);
    member->busy = false;
    crowd->busy--;
    SCOPED_JSON *reply = json_loads(member->reply.data, JSON_DECODE_ANY, NULL);
    int64_t wait_ms = crowd->answered(crowd->arg, member->index, status, reply);
    member->not_before_us = clock_monotonic_us() + wait_ms * US_PER_MS;
}

static void take_answers(struct crowd *crowd)
{
    CURLMsg *message;
    int running, left;
    curl_multi_perform(crowd->multi, &running);
    while ((message = curl_multi_info_read(crowd->multi, &left)))
        if (message->msg == CURLMSG_DONE)
            take_answer(crowd, message->easy_handle, message->data.result);
}

void crowd_run(const char *url, size_t members, size_t at_once, struct arena *arena,
               crowd_next *next, crowd_answered *answered, void *arg)
{
    struct crowd crowd = {
        .url = url,
        .multi = curl_multi_init(),
        .members = arena_array(arena, members, sizeof(struct member)),
        .count = members,
        .at_once = at_once,
        .arena = arena,
        .next = next,
        .answered = answered,
        .arg = arg,
    };
    if (!crowd.multi)
        abort();
    raise_descriptor_limit(members);
    curl_multi_setopt(crowd.multi, CURLMOPT_MAXCONNECTS, (long)members);
    for (size_t i = 0; i < members; i++) {
        crowd.members[i].curl = curl_easy_init();
        crowd.members[i].index = i;
        if (!crowd.members[i].curl)
            abort();
    }
    for (;;) {
        start_who_can(&crowd);
        if (crowd.finished == crowd.count)
            break;
        take_answers(&crowd);
        curl_multi_poll(crowd.multi, NULL, 0, POLL_MS, NULL);
    }
    for (size_t i = 0; i < members; i++) {
        curl_easy_cleanup(crowd.members[i].curl);
        curl_slist_free_all(crowd.members[i].headers);
    }
    curl_multi_cleanup(crowd.multi);
}
