// Rows into messages; what they mean is the law's own.

#include "lib/laws/book.h"

#include "lib/base/text.h"

static void take_violations(const struct rows *rows, struct arena *arena,
                            Baro__CheckLawReply *reply)
{
    reply->sample = arena_array(arena, SAMPLE_MAX, sizeof(*reply->sample));
    for (size_t row = 0; row < rows->count; row++) {
        const char *wrong = rows_text(rows, row, 1);
        if (!wrong)
            continue;
        if (reply->violations++ < SAMPLE_MAX)
            reply->sample[reply->n_sample++] = text_copy(arena, wrong);
    }
}

struct status law_book_check(const struct law_book *book, struct db *db,
                             const Baro__CheckLawRequest *request, struct arena *arena,
                             Baro__CheckLawReply **reply)
{
    struct rows rows;
    Baro__CheckLawReply *made = arena_alloc(arena, sizeof(*made));
    baro__check_law_reply__init(made);
    *reply = made;
    made->ended = true;
    if (request->check >= book->check_count)
        return OK;
    const struct law_check *check = &book->checks[request->check];
    struct status st = db_query(db, check->statement,
                                PARAMS(p_int64(request->after), p_int64(check->page)), &rows);
    if (failed(st))
        return st;
    made->law = text_copy(arena, law_name(check->law));
    made->ended = (int64_t)rows.count < check->page;
    made->last = rows.count ? rows_int64(&rows, rows.count - 1, 0) : request->after;
    take_violations(&rows, arena, made);
    return OK;
}

static Baro__OrderFact *take_fact(const struct rows *rows, size_t row, size_t values,
                                  struct arena *arena)
{
    Baro__OrderFact *fact = arena_alloc(arena, sizeof(*fact));
    baro__order_fact__init(fact);
    fact->order_id = rows_int64(rows, row, 0);
    fact->n_values = values;
    fact->values = arena_array(arena, values, sizeof(*fact->values));
    for (size_t i = 0; i < values; i++)
        fact->values[i] = rows_int64(rows, row, (int)i + 1);
    return fact;
}

struct status law_book_facts(const struct law_book *book, struct db *db,
                             const Baro__ListOrderFactsRequest *request, struct arena *arena,
                             Baro__OrderFacts **reply)
{
    struct rows rows;
    struct status st =
        request->n_order_ids
            ? db_query(db, book->facts->chosen,
                       PARAMS(p_int64s(request->order_ids, request->n_order_ids)), &rows)
            : db_query(db, book->facts->page, PARAMS(p_int64(request->after), p_int64(FACTS_PAGE)),
                       &rows);
    if (failed(st))
        return st;
    Baro__OrderFacts *made = arena_alloc(arena, sizeof(*made));
    baro__order_facts__init(made);
    made->n_facts = rows.count;
    made->facts = arena_array(arena, rows.count + 1, sizeof(*made->facts));
    for (size_t row = 0; row < rows.count; row++)
        made->facts[row] = take_fact(&rows, row, book->facts->values, arena);
    *reply = made;
    return OK;
}
