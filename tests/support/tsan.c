// Lets Criterion start under ThreadSanitizer. Criterion maps the memory that it shares with its
// worker processes at a place that it draws with rand_r, between 0x2000_0000_0000 and
// 0x6000_0000_0000 in steps of 16 MiB; nearly all of that belongs to the sanitizer's shadow, and the
// run dies before the first test. This rand_r draws places that the sanitizer leaves to programs.

#include <stdlib.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
int rand_r(unsigned *seed)
{
    enum {
        FIRST = 0x350000, // 0x5500_0000_0000
        PLACES = 0x10000,
    };
    *seed = *seed * 1103515245 + 12345;
    return (int)(FIRST + (*seed >> 8) % PLACES);
}
#endif
