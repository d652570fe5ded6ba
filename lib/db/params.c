// Parameters in PostgreSQL's binary format.
//
// The type of a parameter is the type of what we send, never what the server would guess, so that
// `$1::int`, `$1::jsonb` and `baro_time($1)` are casts made by the server. Arrays have one
// dimension: dimensions, "has nulls", element type, size, lower bound, then length and bytes of
// each element, all big-endian.

#include "lib/db/pipeline.h"

#include "lib/base/memory.h"

#include <assert.h>
#include <endian.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

// clang-format off
static const struct param_type {
    Oid type, element;
} TYPES[] = {
    [PARAM_INT64]  = {OID_INT8,        0},
    [PARAM_BOOL]   = {OID_BOOL,        0},
    [PARAM_TEXT]   = {OID_TEXT,        0},
    [PARAM_BYTES]  = {OID_BYTEA,       0},
    [PARAM_INT64S] = {OID_INT8_ARRAY,  OID_INT8},
    [PARAM_TEXTS]  = {OID_TEXT_ARRAY,  OID_TEXT},
    [PARAM_BYTEAS] = {OID_BYTEA_ARRAY, OID_BYTEA},
};
// clang-format on

enum { ARRAY_HEADER = 20, EMPTY_ARRAY_HEADER = 12, LENGTH_WORD = 4 };

param p_int64(int64_t value)
{
    return (param){.kind = PARAM_INT64, .number = value};
}

param p_bool(bool value)
{
    return (param){.kind = PARAM_BOOL, .number = value};
}

param p_text(const char *value)
{
    return (param){.kind = PARAM_TEXT, .data = value, .length = value ? strlen(value) : 0};
}

param p_bytes(const void *data, size_t size)
{
    return (param){.kind = PARAM_BYTES, .data = data, .length = size};
}

param p_int64s(const int64_t *values, size_t count)
{
    return (param){.kind = PARAM_INT64S, .data = values, .length = count};
}

param p_texts(const char *const *values, size_t count)
{
    return (param){.kind = PARAM_TEXTS, .data = values, .length = count};
}

param p_byteas(const struct bytes *values, size_t count)
{
    return (param){.kind = PARAM_BYTEAS, .data = values, .length = count};
}

static char *put_int32(char *to, int32_t value)
{
    uint32_t wire = htobe32((uint32_t)value);
    memcpy(to, &wire, sizeof(wire));
    return to + sizeof(wire);
}

static char *put_int64(char *to, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);
    memcpy(to, &wire, sizeof(wire));
    return to + sizeof(wire);
}

// An element: its length and its bytes; NULL has length -1 and no bytes.
static char *put_element(char *to, const void *data, size_t size)
{
    if (!data)
        return put_int32(to, -1);
    to = put_int32(to, (int32_t)size);
    if (size > 0)
        memcpy(to, data, size);
    return to + size;
}

// Element i of a text or bytea array.
static struct bytes element_at(const param *p, size_t i)
{
    if (p->kind == PARAM_BYTEAS)
        return ((const struct bytes *)p->data)[i];
    const char *text = ((const char *const *)p->data)[i];
    return (struct bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

static size_t encoded_size(const param *p)
{
    switch (p->kind) {
    case PARAM_INT64:
        return sizeof(int64_t);
    case PARAM_BOOL:
        return 1;
    case PARAM_TEXT:
    case PARAM_BYTES:
        return p->length;
    case PARAM_INT64S:
        return ARRAY_HEADER + p->length * (LENGTH_WORD + sizeof(int64_t));
    case PARAM_TEXTS:
    case PARAM_BYTEAS:
        break;
    }
    size_t size = ARRAY_HEADER;
    for (size_t i = 0; i < p->length; i++)
        size += LENGTH_WORD + element_at(p, i).size;
    return size;
}

static char *put_array_header(char *to, const param *p)
{
    bool empty = p->length == 0;
    to = put_int32(to, empty ? 0 : 1);
    to = put_int32(to, 1); // may hold nulls: the server looks at each length anyway
    to = put_int32(to, (int32_t)TYPES[p->kind].element);
    if (empty)
        return to;
    to = put_int32(to, (int32_t)p->length);
    return put_int32(to, 1);
}

static char *put_int64s(char *to, const param *p)
{
    const int64_t *values = p->data;
    for (size_t i = 0; i < p->length; i++) {
        bool null = values[i] == DB_NULL_INT64;
        to = put_int32(to, null ? -1 : (int32_t)sizeof(int64_t));
        if (!null)
            to = put_int64(to, values[i]);
    }
    return to;
}

static char *put_param(char *to, const param *p)
{
    switch (p->kind) {
    case PARAM_INT64:
        return put_int64(to, p->number);
    case PARAM_BOOL:
        *to = p->number ? 1 : 0;
        return to + 1;
    case PARAM_TEXT:
    case PARAM_BYTES:
        if (p->length > 0)
            memcpy(to, p->data, p->length);
        return to + p->length;
    case PARAM_INT64S:
        return put_int64s(put_array_header(to, p), p);
    case PARAM_TEXTS:
    case PARAM_BYTEAS:
        break;
    }
    to = put_array_header(to, p);
    for (size_t i = 0; i < p->length; i++) {
        struct bytes element = element_at(p, i);
        to = put_element(to, element.data, element.size);
    }
    return to;
}

static bool is_null(const param *p)
{
    if (p->kind == PARAM_INT64)
        return p->number == DB_NULL_INT64;
    return (p->kind == PARAM_TEXT || p->kind == PARAM_BYTES) && !p->data;
}

static void reserve_scratch(struct db *db, size_t size)
{
    if (size <= db->scratch_capacity)
        return;
    free(db->scratch);
    db->scratch_capacity = size < 4096 ? 4096 : size + size / 2;
    db->scratch = memory_alloc(db->scratch_capacity);
}

void db_encode(struct db *db, struct params params, struct encoded *encoded)
{
    assert(params.count <= MAX_PARAMS);
    size_t size = 0;
    for (size_t i = 0; i < params.count; i++)
        size += encoded_size(&params.values[i]);
    assert(size < INT_MAX); // a message of PostgreSQL ends at 1 GiB
    reserve_scratch(db, size);
    char *to = db->scratch;
    for (size_t i = 0; i < params.count; i++) {
        const param *p = &params.values[i];
        char *end = is_null(p) ? to : put_param(to, p);
        encoded->types[i] = TYPES[p->kind].type;
        encoded->values[i] = is_null(p) ? NULL : to;
        encoded->lengths[i] = (int)(end - to);
        encoded->formats[i] = 1;
        to = end;
    }
}
