// Counting comes after the request was read and before anybody is asked, so that bad input costs
// nothing. A request is known by its Idempotency-Key and RPC: sent again within the window it was
// counted already, and a refusal that is repeated is one failure.
//
// Headers are those of draft-ietf-httpapi-ratelimit-headers-10.

#include "gateway/quota.h"

#include <netinet/in.h>
#include <sodium.h>
#include <string.h>

enum { HASH_SIZE = 16 };

static const char *hash_text(struct arena *arena, const char *text)
{
    uint8_t hash[HASH_SIZE];
    crypto_generichash(hash, sizeof(hash), (const uint8_t *)text, strlen(text), NULL, 0);
    return text_hex(arena, hash, sizeof(hash));
}

const char *quota_of_caller(struct arena *arena, int64_t user_id)
{
    return text_printf(arena, "user:%lld", (long long)user_id);
}

// The bytes that tell clients apart; a network of IPv6 belongs to one.
static size_t network_of(const struct sockaddr *address, uint8_t bytes[8])
{
    enum { V4 = 4, V6_NETWORK = 8, V4_IN_V6 = 12 };
    if (address && address->sa_family == AF_INET) {
        memcpy(bytes, &((const struct sockaddr_in *)(const void *)address)->sin_addr, V4);
        return V4;
    }
    if (!address || address->sa_family != AF_INET6)
        return 0;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    bool mapped = IN6_IS_ADDR_V4MAPPED(v6);
    memcpy(bytes, v6->s6_addr + (mapped ? V4_IN_V6 : 0), mapped ? V4 : V6_NETWORK);
    return mapped ? V4 : V6_NETWORK;
}

const char *quota_of_login(struct arena *arena, const char *email, const struct sockaddr *address)
{
    char *spelled = text_trim(arena, email);
    for (char *c = spelled; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    uint8_t network[8];
    size_t size = network_of(address, network);
    return text_printf(
        arena, "login:%s",
        hash_text(arena, text_printf(arena, "%s %s", text_hex(arena, network, size), spelled)));
}

static const char *name_request(struct request *request)
{
    enum key_rule rule = request->match.endpoint->route->key;
    const char *key = rule == NO_KEY ? NULL : request->headers.idempotency_key;
    if (key)
        return hash_text(request->arena, text_printf(request->arena, "%s %s",
                                                     request->match.endpoint->rpc_method, key));
    uint8_t fresh[HASH_SIZE];
    randombytes_buf(fresh, sizeof(fresh));
    return text_hex(request->arena, fresh, sizeof(fresh));
}

static const char *name_client(struct request *request)
{
    const ProtobufCFieldDescriptor *email = request->match.endpoint->email_field;
    if (!email)
        return quota_of_caller(request->arena, request->caller.user_id);
    const union MHD_ConnectionInfo *client =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return quota_of_login(request->arena,
                          *(char *const *)((const char *)request->message + email->offset),
                          client ? client->client_addr : NULL);
}

static int64_t seconds(int64_t ms)
{
    return (ms + 999) / 1000;
}

static void add_headers(struct request *request, struct limit_policy policy,
                        const struct limit_answer *answer)
{
    if (policy.rate.count == 0)
        return;
    answer_add_header(request, "RateLimit-Policy",
                      text_printf(request->arena, "\"%s\";q=%lld;w=%lld", policy.name,
                                  (long long)policy.rate.count,
                                  (long long)seconds(policy.rate.window_ms)));
    answer_add_header(request, "RateLimit",
                      text_printf(request->arena, "\"%s\";r=%lld;t=%lld", policy.name,
                                  (long long)answer->remaining,
                                  (long long)seconds(answer->reset_ms)));
}

// What each verdict is to the client; NONE: the request goes on.
// clang-format off
static const struct {
    enum reason reason;
    struct limit_policy (*policy)(const struct limits *limits, enum limit limit);
} verdicts[] = {
    [LIMIT_PASSED]   = {REASON_NONE,                limits_policy},
    [LIMIT_EXCEEDED] = {REASON_RATE_LIMITED,        limits_policy},
    [LIMIT_BLOCKED]  = {REASON_TEMPORARILY_BLOCKED, limits_block_policy},
};
// clang-format on

static void taken(void *arg, const struct limit_answer *answer)
{
    struct request *request = arg;
    enum reason reason = verdicts[answer->verdict].reason;
    request->quota.answer = *answer;
    if (reason != REASON_NONE)
        answer_problem(request, refuse(reason, NULL), NULL, answer->reset_ms);
    add_headers(request,
                verdicts[answer->verdict].policy(request->gateway->limits,
                                                 request->match.endpoint->route->limit),
                answer);
    request->quota.next(request);
}

void quota_take(struct request *request, quota_next *next)
{
    enum limit limit = request->match.endpoint->route->limit;
    if (limit == NO_LIMIT) {
        next(request);
        return;
    }
    request->quota.next = next;
    request->quota.subject = (struct limit_subject){name_client(request), name_request(request)};
    limits_take(request->gateway->limits, limit, request->quota.subject, taken, request);
}

bool quota_is_failure(struct status st)
{
    return failed(st) && status_is_definite(st) && st.reason != REASON_SYSTEM_FAILURE &&
           st.reason != REASON_IDEMPOTENCY_KEY_REUSED;
}

static void recorded(void *arg, const struct limit_answer *answer)
{
    (void)answer;
    struct request *request = arg;
    request->quota.next(request);
}

// A success matters only to those who have failed before.
void quota_settle(struct request *request, struct status st, bool decided, quota_next *next)
{
    const struct limit_answer *before = &request->quota.answer;
    enum limit limit = request->match.endpoint->route->limit;
    bool success = !failed(st);
    bool matters = success ? decided && before->failures : quota_is_failure(st);
    if (limit == NO_LIMIT || before->repeated || !matters) {
        next(request);
        return;
    }
    request->quota.next = next;
    limits_record(request->gateway->limits, limit, request->quota.subject, success, recorded,
                  request);
}
