#include "gateway/pace.h"

#include "lib/base/clock.h"

enum { TOKEN = US_PER_S }; // so that tokens a second times microseconds are tokens

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

struct pace pace_make(int64_t least_per_second, int64_t most, int64_t now_us)
{
    return (struct pace){
        .least = least_per_second,
        .per_second = least_per_second,
        .tokens = most * TOKEN,
        .counted_us = now_us,
    };
}

void pace_stand_still(struct pace *pace, int64_t now_us)
{
    pace->counted_us = larger(pace->counted_us, now_us);
}

bool pace_has(struct pace *pace, int64_t most, int64_t now_us)
{
    int64_t elapsed_us = now_us - pace->counted_us;
    int64_t missing = most * TOKEN - pace->tokens;
    bool full = elapsed_us > 0 && missing / elapsed_us < pace->per_second;
    pace->tokens += full ? missing : larger(elapsed_us, 0) * pace->per_second;
    pace_stand_still(pace, now_us);
    return pace->tokens >= TOKEN;
}

void pace_take(struct pace *pace, int64_t most)
{
    pace->tokens = larger(pace->tokens - TOKEN, -most * TOKEN);
}

void pace_follow(struct pace *pace, int64_t answers, int64_t elapsed_us)
{
    int64_t quarter_more = answers * US_PER_S / elapsed_us * 5 / 4;
    pace->per_second = larger(larger(quarter_more, pace->per_second / 2), pace->least);
}
