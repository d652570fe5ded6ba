// Languages are chosen as RFC 9110 says, and what services put into a sentence finds its place in the
// other language.

#include "gateway/sentences.h"

#include "lib/base/macros.h"

#include <criterion/criterion.h>

Test(sentences, the_language_is_the_one_that_weighs_most)
{
    static const struct {
        const char *header;
        enum language language;
    } rows[] = {
        {NULL,                                  ENGLISH},
        {"",                                    ENGLISH},
        {"ko",                                  KOREAN },
        {"KO-kr",                               KOREAN },
        {"ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", KOREAN },
        {"en-US,en;q=0.9,ko;q=0.8",             ENGLISH},
        {"en;q=0.5, ko;q=0.8",                  KOREAN },
        {"ko;q=0.5, en;q=0.5",                  KOREAN },
        {"en;q=0.5, ko;q=0.5",                  ENGLISH},
        {"fr, ko;q=0.1",                        KOREAN },
        {"fr, de",                              ENGLISH},
        {"*",                                   ENGLISH},
        {"ko;q=0",                              ENGLISH},
        {"en;q=0, *",                           KOREAN },
        {"ko;q=0, *",                           ENGLISH},
        {"ko ; q=0.2 , *;q=0.1",                KOREAN },
        {"kok, korean",                         ENGLISH},
        {"ko;q=x",                              ENGLISH},
        {",,;q=,ko",                            KOREAN },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_eq(language_wanted(rows[i].header), rows[i].language, "%s", rows[i].header);
}

Test(sentences, english_is_said_as_it_came)
{
    SCOPED(arena) *arena = arena_create();
    cr_expect_str_eq(sentence_in(ENGLISH, "whatever it is", arena), "whatever it is");
}

Test(sentences, numbers_and_states_are_put_into_their_places)
{
    static const struct {
        const char *english;
        const char *korean;
    } rows[] = {
        {"option 12 has 3 left",                      "12번 옵션은 재고가 3개뿐입니다"         },
        {"an order that is PAID cannot be DELIVERED",
         "'결제 완료' 상태의 주문은 '배송 완료'(으)로 바꿀 수 없습니다"                        },
        {"order 7: the balance is too low",           "주문 7: 잔액이 부족합니다"              },
        {"must be one of FIXED, PERCENT",             "다음 중 하나여야 합니다: FIXED, PERCENT"},
        {"must be 1 to 100",                          "1에서 100 사이여야 합니다"              },
    };
    SCOPED(arena) *arena = arena_create();
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_str_eq(sentence_in(KOREAN, rows[i].english, arena), rows[i].korean);
}

Test(sentences, what_no_row_has_is_not_guessed)
{
    SCOPED(arena) *arena = arena_create();
    cr_expect_null(sentence_in(KOREAN, "option  has  left of something", arena));
    cr_expect_null(sentence_in(KOREAN, "order : ", arena));
    cr_expect_null(sentence_in(KOREAN, "", arena));
}
