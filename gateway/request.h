#pragma once
// One HTTP request, from its request line until libmicrohttpd says that it is over.
//
// The phases, and who owns the request in each: HEAD and BODY belong to the HTTP thread; CALLING
// belongs to whoever calls back, Redis or the RPC client, the connection is suspended; ANSWERED
// belongs to the HTTP thread again. The completed-callback gives the request back to its pool,
// whatever happened.

#include "gateway/errors.h"
#include "gateway/gateway.h"
#include "gateway/headers.h"
#include "gateway/page_cache.h"
#include "gateway/room.h"
#include "gateway/trace.h"

#include <microhttpd.h>

enum { BODY_MAX = 64 * 1024, ANSWER_HEADERS_MAX = 10 };

enum phase { PHASE_HEAD, PHASE_BODY, PHASE_CALLING, PHASE_ANSWERED };

struct answer_header {
    const char *name;
    const char *value;
};

// How the request stands with its route's limit (quota.c).
struct quota {
    struct limit_subject subject;
    struct limit_answer answer;
    void (*next)(struct request *request);
};

struct answer {
    unsigned int status; // 0: none yet
    const char *content_type;
    struct text_buffer body;
    struct page *page; // held: the body is its data; or NULL
    struct answer_header headers[ANSWER_HEADERS_MAX];
    size_t header_count;
    bool close;     // the connection is not to be trusted, or we are leaving
    bool cacheable; // public and a success
    bool streams;   // the body is the request's stream
};

struct request {
    struct gateway *gateway;
    struct arena *arena;
    struct MHD_Connection *connection;
    _Atomic enum phase phase; // what hands the request over between threads
    int64_t started_us;       // monotonic
    const char *path;         // as sent, without the query
    size_t path_length;
    const char *query; // or NULL
    struct headers headers;
    struct trace trace;
    struct path_match match;
    enum errand errand;
    struct caller caller;
    struct text_buffer body;
    ProtobufCMessage *message; // to the service, once it is built
    int64_t called_us;         // when the call to the service set out, monotonic
    struct quota quota;
    struct stream *stream;     // of a streaming route, from its admission on
    size_t discarded;          // of the body, after the answer was known
    struct flight *flight;     // of a catalogue read that fetches for others too; or NULL
    struct page_waiter waiter; // of one that waits for another's
    struct answer answer;
    struct request *next; // in the pool
};

// Requests that wait to be used again, with their arenas.
struct request_pool *request_pool_create(void);

// All requests must have been released. Accepts NULL.
void request_pool_destroy(struct request_pool *pool);

// Makes a request for a target ("/path?query") as it stands in the request line.
struct request *request_acquire(struct gateway *gateway, const char *target,
                                struct MHD_Connection *connection);
void request_release(struct request *request);

// The deadline of the request's connection.
struct connection *request_connection(const struct request *request);

// Number of requests that are acquired.
size_t request_pool_active(struct request_pool *pool);

// Sets the answer to a body that is already in answer.body.
void answer_with(struct request *request, unsigned int status, const char *content_type);

// Sets the answer to a message as JSON.
void answer_message(struct request *request, unsigned int status, const ProtobufCMessage *message);

// Sets the answer to a page of the catalogue, or to 304 when the client has it; takes the hold over.
void answer_page(struct request *request, struct page *page);

// Sets the answer to a problem; errors may be NULL. pushback_ms: what the service asked for, or 0.
void answer_problem(struct request *request, struct status st, const struct field_errors *errors,
                    int64_t pushback_ms);

// Adds a header; the value is borrowed until the request ends.
void answer_add_header(struct request *request, const char *name, const char *value);

// Adds the headers of an answer that people read: its language, and that others would get another.
void answer_add_language(struct request *request, enum language language);

// Hands a suspended request, whose answer is set, back to the HTTP thread.
void request_resume(struct request *request);

// Sends the answer; called on the HTTP thread.
enum MHD_Result answer_send(struct request *request);
