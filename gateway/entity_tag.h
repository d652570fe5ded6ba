#pragma once
// Entity tags (RFC 9110 8.8.3): a strong one of an answer's bytes, and the check of If-None-Match.

#include <stdbool.h>
#include <stddef.h>

enum { ENTITY_TAG_SIZE = 35 }; // two quotes, 32 digits, NUL

// The same bytes have the same tag, in every gateway.
void entity_tag_make(const char *data, size_t length, char tag[ENTITY_TAG_SIZE]);

// Whether a client that sent this If-None-Match (NULL: none) has the answer with the tag already:
// "*", or a list of tags that holds it, weak ones too. A list that is malformed holds what stands
// before the mistake.
bool entity_tag_is_known(const char *if_none_match, const char *tag);
