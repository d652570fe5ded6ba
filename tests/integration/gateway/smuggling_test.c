// Requests that two HTTP parsers could read differently: each is refused and its connection ended,
// so nothing that was hidden behind it is ever served.

#include "lib/base/macros.h"
#include "tests/integration/gateway/fakes.h"
#include "tests/support/wire.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

static struct stage *stage;

static void set_up(void)
{
    stage = stage_open(NULL);
}

static void tear_down(void)
{
    stage_close(stage);
}

TestSuite(smuggling, .init = set_up, .fini = tear_down);

#define POST "POST /api/v1/auth/login HTTP/1.1\r\n"
#define GET "GET /livez HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define TYPE "Content-Type: application/json\r\n"
#define HIDDEN "GET /version HTTP/1.1\r\nHost: a\r\n\r\n"

#define BYTES(text) text, sizeof(text) - 1

static const struct {
    const char *what;
    const char *bytes;
    size_t size;
} attacks[] = {
    {"both lengths",                       BYTES(POST HOST TYPE "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
                                          "0\r\n\r\n" HIDDEN)                                                       },
    {"both lengths, the other way round",
     BYTES(POST HOST TYPE "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"
                          "0\r\n\r\n" HIDDEN)                                                                                           },
    {"two lengths",
     BYTES(POST HOST TYPE "Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}" HIDDEN)                                                    },
    {"the same length twice",
     BYTES(POST HOST TYPE "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" HIDDEN)                                                    },
    {"a list of lengths",                  BYTES(POST HOST TYPE "Content-Length: 2, 2\r\n\r\n{}" HIDDEN)                                },
    {"a signed length",                    BYTES(POST HOST TYPE "Content-Length: +2\r\n\r\n{}" HIDDEN)                                  },
    {"a negative length",                  BYTES(POST HOST TYPE "Content-Length: -1\r\n\r\n{}" HIDDEN)                                  },
    {"a length in hexadecimal",            BYTES(POST HOST TYPE "Content-Length: 0x2\r\n\r\n{}" HIDDEN)                                 },
    {"a length beyond all",
     BYTES(POST HOST TYPE "Content-Length: 99999999999999999999999\r\n\r\n{}" HIDDEN)                                                   },
    {"an empty length",                    BYTES(POST HOST TYPE "Content-Length: \r\n\r\n{}" HIDDEN)                                    },
    {"two hosts",                          BYTES(GET "Host: a\r\nHost: b\r\n\r\n" HIDDEN)                                               },
    {"no host",                            BYTES(GET "\r\n" HIDDEN)                                                                     },
    {"a host with a path",                 BYTES(GET "Host: a/b\r\n\r\n" HIDDEN)                                                        },
    {"an empty host",                      BYTES(GET "Host: \r\n\r\n" HIDDEN)                                                           },
    {"an unknown coding",                  BYTES(POST HOST TYPE "Transfer-Encoding: gzip\r\n\r\n{}" HIDDEN)                             },
    {"two codings",
     BYTES(POST HOST TYPE "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" HIDDEN)                                                   },
    {"chunked twice",
     BYTES(POST HOST TYPE "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "0\r\n\r\n" HIDDEN)                                                                                           },
    {"chunked and identity",
     BYTES(POST HOST TYPE "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"
                          "0\r\n\r\n" HIDDEN)                                                                                           },
    {"chunked in quotes",
     BYTES(POST HOST TYPE "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" HIDDEN)                                                     },
    {"chunked with a tail",
     BYTES(POST HOST TYPE "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n" HIDDEN)                                                        },
    {"chunked with a control character",   BYTES(POST HOST TYPE "Transfer-Encoding: \x0b"
                                                              "chunked\r\n\r\n0\r\n\r\n" HIDDEN)},
    {"a space before the colon",
     BYTES(POST HOST TYPE "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" HIDDEN)                                                        },
    {"a folded header",
     BYTES(POST HOST TYPE "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" HIDDEN)                                                     },
    {"chunked in HTTP/1.0",                BYTES("POST /api/v1/auth/login HTTP/1.0\r\n" HOST TYPE
                                  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN)                      },
    {"a NUL in a header",                  BYTES(GET HOST "X-A: a\0b\r\n\r\n" HIDDEN)                                                   },
    {"a NUL in a header's name",           BYTES(GET HOST "X-\0A: b\r\n\r\n" HIDDEN)                                                    },
    {"a NUL in the path",                  BYTES("GET /livez\0 HTTP/1.1\r\n" HOST "\r\n" HIDDEN)                                        },
    {"a bell in a header",                 BYTES(GET HOST "X-A: a\x07\r\n\r\n" HIDDEN)                                                  },
    {"a lone CR in a header",              BYTES(GET HOST "X-A: a\rX-B: b\r\n\r\n" HIDDEN)                                              },
    {"a name that is no token",            BYTES(GET HOST "X(A): b\r\n\r\n" HIDDEN)                                                     },
    {"a header without a name",            BYTES(GET HOST ": b\r\n\r\n" HIDDEN)                                                         },
    {"a line without a colon",             BYTES(GET HOST "nonsense\r\n\r\n" HIDDEN)                                                    },
    {"two credentials",
     BYTES(GET HOST "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n" HIDDEN)                                                },
    {"two keys",                           BYTES(GET HOST "Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n" HIDDEN)                    },
    {"HTTP/1.2",                           BYTES("GET /livez HTTP/1.2\r\n" HOST "\r\n" HIDDEN)                                          },
    {"HTTP/2.0",                           BYTES("GET /livez HTTP/2.0\r\n" HOST "\r\n" HIDDEN)                                          },
    {"no version",                         BYTES("GET /livez\r\n\r\n" HIDDEN)                                                           },
    {"two spaces in the request line",     BYTES("GET  /livez HTTP/1.1\r\n" HOST "\r\n" HIDDEN)                                         },
    {"a space in the target",              BYTES("GET /livez /x HTTP/1.1\r\n" HOST "\r\n" HIDDEN)                                       },
    {"a chunk size with a sign",
     BYTES(POST HOST TYPE "Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n" HIDDEN)                                             },
    {"a chunk size in 0x",
     BYTES(POST HOST TYPE "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" HIDDEN)                                            },
    {"a chunk size with a space in front",
     BYTES(POST HOST TYPE "Transfer-Encoding: chunked\r\n\r\n 2\r\n{}\r\n0\r\n\r\n" HIDDEN)                                             },
    {"a chunk longer than it says",
     BYTES(POST HOST TYPE "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n" HIDDEN)                                              },
    {"a chunk size beyond all",
     BYTES(POST HOST TYPE
           "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff2\r\n{}\r\n0\r\n\r\n" HIDDEN)                                             },
    {"a negative chunk",
     BYTES(POST HOST TYPE "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n" HIDDEN)                                             },
};

// How a request comes out of the network.
enum cut { WHOLE, HALVES, LINES, BYTES, CUTS };

static size_t piece_of(enum cut cut, const char *bytes, size_t left, size_t size)
{
    const char *line = memchr(bytes, '\n', left);
    const size_t pieces[CUTS] = {
        [WHOLE] = left,
        [HALVES] = (size + 1) / 2,
        [LINES] = line ? (size_t)(line + 1 - bytes) : left,
        [BYTES] = 1,
    };
    return pieces[cut] < left ? pieces[cut] : left;
}

static void send_in_pieces(int fd, const char *bytes, size_t size, enum cut cut)
{
    for (size_t sent = 0; sent < size;) {
        size_t piece = piece_of(cut, bytes + sent, size - sent, size);
        wire_send(fd, bytes + sent, piece);
        sent += piece;
        sched_yield(); // to whoever reads
    }
}

Test(smuggling, every_ambiguous_request_is_refused_and_cut_off, .timeout = 120)
{
    for (size_t i = 0; i < CUTS * COUNT(attacks); i++) {
        const char *what = attacks[i / CUTS].what;
        enum cut cut = (enum cut)(i % CUTS);
        int fd = wire_open(stage_port(stage));
        send_in_pieces(fd, attacks[i / CUTS].bytes, attacks[i / CUTS].size, cut);
        int status = wire_read(fd)->status;
        cr_expect(status == 0 || (status >= 400 && status <= 505), "%s: %d", what, status);
        // What was hidden is not answered: the next thing is the end.
        cr_expect_eq(wire_read(fd)->status, 0, "%s: the hidden request was served", what);
        cr_expect(wire_is_closed(fd, 1000), "%s, cut %d: still open", what, cut);
        close(fd);
    }
    cr_assert_eq(stage_asked(stage).count, 0);
}

Test(smuggling, a_refusal_of_ours_is_a_problem_that_says_close)
{
    int fd = wire_open(stage_port(stage));
    wire_say(fd, "GET /livez HTTP/1.1\r\nHost: a/b\r\n\r\n");
    const struct wire_reply *reply = wire_read(fd);
    cr_assert_eq(reply->status, 400);
    cr_assert_str_eq(wire_code(reply), "VALIDATION_ERROR");
    cr_assert_str_eq(wire_header(reply, "Connection"), "close");
    cr_assert(wire_is_closed(fd, 1000));
    close(fd);
}

Test(smuggling, nothing_of_the_request_comes_back_as_a_header)
{
    const struct wire_reply *reply =
        wire_call(stage_port(stage), "GET", "/livez%0d%0aX-Evil:%201?x=%0d%0aX-Evil:%201",
                  "X-Request-Id: a%0d%0aX-Evil: 1\r\ntraceparent: 00-x\tX-Evil: 1\r\n", NULL);
    cr_assert_eq(reply->status, 404);
    cr_assert_str_eq(wire_header(reply, "X-Evil"), "");
    cr_assert_null(strstr(reply->head, "Evil"));
}

Test(smuggling, an_ordinary_chunked_body_is_read)
{
    stage_refuse(stage, "Login", refuse(REASON_UNAUTHENTICATED, NULL));
    int fd = wire_open(stage_port(stage));
    wire_say(fd, POST HOST TYPE "Transfer-Encoding: chunked\r\n\r\n"
                                "8\r\n{\"email\"\r\n9;x=y\r\n:\"a@b\" }\r\n0\r\n\r\n");
    cr_assert_eq(wire_read(fd)->status, 401);
    close(fd);
}
