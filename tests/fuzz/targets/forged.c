// Tokens that were signed here, and then edited: characters changed, dropped and put in, parts of another's
// token in place of their own. Whoever is let in has one of the two that were signed.

#include "gateway/auth.h"
#include "services/user/token.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define NOW_US INT64_C(1800000000000000)
enum { PARTS = 3 };

// Two people whose tokens one key signed.
static const struct account ACCOUNTS[] = {
    {.id = 7, .role = ROLE_USER },
    {.id = 8, .role = ROLE_ADMIN},
};
static const enum caller_role ROLES[] = {CALLER_USER, CALLER_ADMIN};

static struct auth *auth;
static const char *tokens[2];

static void know_key(const struct signing_key *signing)
{
    static char kty[] = "EC", crv[] = "P-256", alg[] = "ES256", use[] = "sig";
    SCOPED(arena) *arena = arena_create();
    Baro__User__Key key, *keys[] = {&key};
    Baro__User__KeySet set = BARO__USER__KEY_SET__INIT;
    baro__user__key__init(&key);
    key.kty = kty, key.crv = crv, key.alg = alg, key.use = use;
    key.kid = text_copy(arena, signing->kid);
    key.x = text_copy(arena, signing->x), key.y = text_copy(arena, signing->y);
    set.n_keys = 1;
    set.keys = keys;
    auth = auth_create();
    auth_set_keys(auth, &set);
}

static void start(void)
{
    struct arena *arena = arena_create(); // as long-lived as the process
    struct signing_key *key = NULL;
    char *pem = NULL;
    struct status made = signing_key_generate(arena, &pem);
    assert(!failed(made));
    made = signing_key_parse(pem, arena, &key);
    assert(!failed(made));
    for (int i = 0; i < 2; i++) {
        made = access_token_sign(key, &ACCOUNTS[i], NOW_US, arena, &tokens[i]);
        assert(!failed(made));
    }
    know_key(key);
}

// Whom a token lets in; -1: nobody.
static int let_in(const char *token, struct arena *arena)
{
    struct caller caller = {0};
    bool stale;
    const char *header = text_printf(arena, "Bearer %s", token);
    if (failed(auth_check(auth, header, NOW_US, arena, &caller, &stale)))
        return -1;
    int who = caller.user_id == ACCOUNTS[1].id;
    assert(caller.user_id == ACCOUNTS[who].id && caller.role == ROLES[who]);
    return who;
}

// From its nth dot on.
static const char *tail_of(const char *token, size_t n)
{
    while (n-- > 0 && strchr(token, '.'))
        token = strchr(token, '.') + 1;
    return token;
}

static const char *edited(struct input *input, const char *token, const char *other,
                          struct arena *arena)
{
    size_t length = strlen(token), kind = input_below(input, 4);
    size_t at = input_byte(input);
    at = (at << 8 | input_byte(input)) % (length + 1);
    const char *after = token + at + (at < length);
    switch (kind) {
    case 0:
        return text_printf(arena, "%.*s%c%s", (int)at, token, input_byte(input), after);
    case 1:
        return text_printf(arena, "%.*s%c%s", (int)at, token, input_byte(input), token + at);
    case 2:
        return text_printf(arena, "%.*s%s", (int)at, token, after);
    default: {
        size_t parts = at % PARTS;
        const char *tail = tail_of(token, parts);
        return text_printf(arena, "%.*s%s", (int)(tail - token), token, tail_of(other, parts));
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = input_arena();
    struct input input = input_of(data, size);
    if (!auth)
        start();
    const char *token = tokens[0];
    while (!input_is_empty(&input))
        token = edited(&input, token, tokens[1], arena);
    int who = let_in(token, arena);
    if (who < 0)
        return 0;
    token += strspn(token, " "); // as many as one likes may follow "Bearer"
    size_t length = strlen(tokens[who]);
    // The last character has bits that no byte of the signature has.
    assert(strlen(token) == length && strncmp(token, tokens[who], length - 1) == 0);
    return 0;
}
