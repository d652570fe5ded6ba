#pragma once
// One that follows an order: a connection for Server-Sent Events, read on a thread of its own.

#include "tests/support/http.h"

struct follower;

// Follows on the i-th gateway with the token of a client; last_id NULL: from the beginning.
struct follower *follow_order(const struct http_client *client, int gateway, int64_t order_id,
                              const char *last_id);
void follower_close(struct follower *follower);

// Waits until the text has come; false when it has not, in time or before the end.
bool follower_sees(struct follower *follower, const char *text, int timeout_ms);

// Waits until the server has ended the stream in good order.
bool follower_ends(struct follower *follower, int timeout_ms);

// The status of the answer once the stream has ended; 0 before.
long follower_status(struct follower *follower);

// The events so far, as "PENDING PAYING debit_wallet PAID"; static until the next call.
const char *follower_story(struct follower *follower);

// The id of the n-th event, from 0 on; "" if there is none. Static until the next call.
const char *follower_id(struct follower *follower, size_t n);
