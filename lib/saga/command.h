#pragma once
// The present command of a saga, and the records that it waits for. Part of walk.c's machine.

#include "lib/saga/walk.h"

// What happened at a step in one direction; NULL: nothing yet.
struct saga_progress *command_progress(struct saga *saga, const struct saga_step *step,
                                       bool compensation);

// Starts (anew) what is shown of a step in one direction.
struct saga_progress *command_note(const struct walk *walk, struct saga *saga,
                                   const struct saga_step *step, bool compensation,
                                   enum saga_outcome outcome);

// The request of a step, for the time of the entry; NULL: it does not apply.
const ProtobufCMessage *command_request(const struct walk *walk, const struct saga *saga,
                                        const struct saga_step *step, bool compensation);

// Sends the first copy of a command. A saga whose row says parked is first recorded as moving again;
// when that is durable, walk.c comes back here.
void command_send(const struct walk *walk, struct saga *saga, const struct saga_step *step,
                  bool compensation, const ProtobufCMessage *request);

// Asks for the present command, or parks it after too many tries.
void command_ask_again(const struct walk *walk, struct saga *saga);

// True while silence will be ended by giving back: no need to call for a human.
bool command_has_decision_ahead(const struct saga *saga);

int64_t command_backoff_us(const struct walk *walk, int tries);
int64_t command_parked_us(const struct walk *walk); // between tries of what is parked

// Has something made durable; the saga is frozen until walk_recorded.
void command_want_record(const struct walk *walk, struct saga *saga, enum saga_record what);
void command_issue_record(const struct walk *walk, struct saga *saga); // the one that is wanted
