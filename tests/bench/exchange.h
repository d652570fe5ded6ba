#pragma once
// One keep-alive connection to the gateway, and the request that is on it. Nothing blocks once it is open.

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REQUEST_MAX = 4096, REPLY_MAX = 16384 };

struct exchange {
    int fd;
    size_t sent, to_send, received;
    char out[REQUEST_MAX];
    char in[REPLY_MAX];
};

struct http_answer {
    int status;       // 0: the gateway closed the connection, or the answer is too long
    const char *head; // NUL-terminated with the body, both borrowed from the exchange
    const char *body;
    size_t body_size;
};

// Connects and registers with `epoll`, with `context` as the event's pointer. Ends the program with
// status 2 when there is nobody.
void exchange_open(struct exchange *exchange, int epoll, const struct sockaddr_in *address,
                   void *context);

// Makes the next request, to be sent. `token` and `body` may be NULL. Every POST gets a key of its
// own.
void exchange_request(struct exchange *exchange, const char *method, const char *path,
                      const char *token, const char *body);

// Sends what the socket takes now, and asks for an event for the rest.
void exchange_send(struct exchange *exchange, int epoll, void *context);

// Takes in what has come. True when the answer is complete.
bool exchange_receive(struct exchange *exchange, struct http_answer *answer);

_Noreturn void load_fail(const char *message);
