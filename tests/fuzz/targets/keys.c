// A set of public keys out of lines (kty, crv, alg, kid, x, y, ..): what is no key is left out, and what
// we publish of it is JSON.

#include "gateway/auth.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = input_arena();
    struct input input = input_of(data, size);
    enum { KEYS = 3 };
    Baro__User__Key keys[KEYS], *list[KEYS];
    Baro__User__KeySet set = BARO__USER__KEY_SET__INIT;
    for (; set.n_keys < KEYS && !input_is_empty(&input); set.n_keys++) {
        Baro__User__Key *key = list[set.n_keys] = &keys[set.n_keys];
        baro__user__key__init(key);
        char **fields[] = {&key->kty, &key->crv, &key->alg, &key->kid, &key->x, &key->y};
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
            *fields[i] = input_line(&input, arena, NULL);
    }
    set.keys = list;

    struct auth *auth = auth_create();
    struct text_buffer published;
    auth_set_keys(auth, &set);
    text_buffer_init(&published, arena, 256);
    auth_write_keys(auth, &published);
    assert(is_json(published.data, published.length));
    auth_destroy(auth);
    return 0;
}
