// An Authorization header, or the three parts of a token, in lines, that are encoded here. The key is
// the public one of RFC 7515 A.3: nobody here can sign, so nobody is ever let in.

#include "gateway/auth.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define NOW_US INT64_C(1800000000000000)

static struct auth *start(void)
{
    static char kty[] = "EC", crv[] = "P-256", alg[] = "ES256", use[] = "sig", kid[] = "known",
                x[] = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                y[] = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    Baro__User__Key key, *keys[] = {&key};
    Baro__User__KeySet set = BARO__USER__KEY_SET__INIT;
    baro__user__key__init(&key);
    key.kty = kty, key.crv = crv, key.alg = alg, key.use = use, key.kid = kid, key.x = x, key.y = y;
    set.n_keys = 1;
    set.keys = keys;
    struct auth *auth = auth_create();
    auth_set_keys(auth, &set);
    return auth;
}

static const char *encode_parts(struct input *input, struct arena *arena)
{
    const char *parts[3];
    for (int i = 0; i < 3; i++) {
        size_t length;
        const char *part = input_line(input, arena, &length);
        parts[i] = text_base64url(arena, part, length);
    }
    return text_printf(arena, "Bearer %s.%s.%s", parts[0], parts[1], parts[2]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct auth *auth;
    struct arena *arena = input_arena();
    struct input input = input_of(data, size);
    struct caller caller = {0};
    bool stale;
    if (!auth)
        auth = start();
    bool in_parts = size > 0 && data[0] == '{';
    const char *header = in_parts ? encode_parts(&input, arena) : input_rest(&input, arena, NULL);
    struct status st = auth_check(auth, header, NOW_US, arena, &caller, &stale);
    assert(failed(st));
    assert(caller.user_id == 0 && caller.role == CALLER_NOBODY);
    return 0;
}
