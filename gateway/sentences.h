#pragma once
// What the shop says to people, in the language that they ask for.
//
// Services and gateway refuse in English sentences. A sentence is its own key: it travels, is kept
// under idempotency keys and stands in logs as it was said, and only where an answer is written is it
// worded for its reader. So a service needs no languages, and what was stored in one is read in another.
// Programs switch on `code`, which has no language.

#include "lib/base/arena.h"

enum language { ENGLISH, KOREAN, LANGUAGE_COUNT };

// The language that an Accept-Language header (RFC 9110 12.5.4) wants most; English for NULL, for what
// cannot be read, and for languages that are not spoken here.
enum language language_wanted(const char *accept_language);

// Its tag: "en" or "ko".
const char *language_tag(enum language language);

// The sentence in that language; NULL when there is none. In English it is the sentence itself; else
// the result is of the table or made in the arena.
const char *sentence_in(enum language language, const char *english, struct arena *arena);
