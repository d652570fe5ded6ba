// The API's description and Swagger UI over HTTP: what is cached, and what the page may do.

#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "tests/integration/gateway/fakes.h"
#include "tests/support/wire.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct stage *stage;
static int port;

static void set_up(void)
{
    stage = stage_open(NULL);
    port = stage_port(stage);
}

static void tear_down(void)
{
    stage_close(stage);
}

TestSuite(docs, .init = set_up, .fini = tear_down);

Test(docs, the_description_is_served)
{
    const struct wire_reply *reply = wire_call(port, "GET", "/openapi.json", "", NULL);
    cr_assert_eq(reply->status, 200);
    cr_assert_str_eq(wire_header(reply, "Content-Type"), "application/json");
    cr_assert_str_eq(json_string_value(json_object_get(reply->json, "openapi")), "3.1.0");
    cr_assert_not_null(
        json_object_get(json_object_get(reply->json, "paths"), "/api/v1/orders/{order_id}"));
}

Test(docs, who_has_a_document_gets_304)
{
    static const char *const paths[] = {"/openapi.json", "/docs", "/docs/docs.js",
                                        "/docs/swagger-ui.css"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        const struct wire_reply *reply = wire_call(port, "GET", paths[i], "", NULL);
        cr_assert_eq(reply->status, 200, "%s", paths[i]);
        cr_assert_str_eq(wire_header(reply, "Cache-Control"), "public, no-cache");
        char etag[64], header[128];
        snprintf(etag, sizeof(etag), "%s", wire_header(reply, "ETag"));
        cr_assert_eq(strlen(etag), 34, "%s", etag);
        snprintf(header, sizeof(header), "If-None-Match: \"other\", W/%s\r\n", etag);
        reply = wire_call(port, "GET", paths[i], header, NULL);
        cr_assert_eq(reply->status, 304, "%s", paths[i]);
        cr_assert_str_eq(wire_header(reply, "ETag"), etag);
        cr_assert_str_eq(reply->body, "");
        reply = wire_call(port, "GET", paths[i], "If-None-Match: \"other\"\r\n", NULL);
        cr_assert_eq(reply->status, 200, "%s", paths[i]);
    }
    cr_assert_eq(
        wire_call(port, "GET", "/docs/swagger-ui-bundle.js", "If-None-Match: *\r\n", NULL)->status,
        304);
}

Test(docs, the_page_runs_no_script_of_its_own)
{
    const struct wire_reply *page = wire_call(port, "GET", "/docs", "", NULL);
    cr_assert_str_eq(wire_header(page, "Content-Type"), "text/html; charset=utf-8");
    const char *policy = wire_header(page, "Content-Security-Policy");
    cr_assert(strstr(policy, "default-src 'none'") && strstr(policy, "script-src 'self';"));
    cr_assert(strstr(policy, "frame-ancestors 'none'"));
    cr_assert_null(strstr(policy, "unsafe"));
    size_t scripts = 0;
    for (const char *at = strstr(page->body, "<script"); at; at = strstr(at + 1, "<script")) {
        cr_assert(strncmp(at, "<script src=\"docs/", 18) == 0, "%.40s", at);
        cr_assert(strstr(at, "\"></script>") < strchr(at, '\n'));
        scripts++;
    }
    cr_assert_eq(scripts, 2);
    cr_assert_null(strstr(page->body, "<style"));
}
