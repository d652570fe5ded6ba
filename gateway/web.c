// The files stay in memory, each with the hash of its bytes as its entity tag: they are the same
// for everybody, for as long as this build runs.
//
// Pages run only scripts of this origin, none inside a page, and may be shown in no frame.

#include "gateway/web.h"

#include "gateway/openapi.h"
#include "gateway/request.h"
#include "lib/base/macros.h"

#include <string.h>

// Every file that the build packed (see the Makefile): its path, its name there, what it is.
#define FILES(FILE)                                                                                \
    FILE("/", console_index_html, PAGE)                                                            \
    FILE("/console/console.css", console_console_css, STYLE)                                       \
    FILE("/console/shop.css", console_shop_css, STYLE)                                             \
    FILE("/console/operations.css", console_operations_css, STYLE)                                 \
    FILE("/console/icon.svg", console_icon_svg, DRAWING)                                           \
    FILE("/console/app.js", console_app_js, SCRIPT)                                                \
    FILE("/console/account.js", console_account_js, SCRIPT)                                        \
    FILE("/console/api.js", console_api_js, SCRIPT)                                                \
    FILE("/console/art.js", console_art_js, SCRIPT)                                                \
    FILE("/console/cart.js", console_cart_js, SCRIPT)                                              \
    FILE("/console/charts.js", console_charts_js, SCRIPT)                                          \
    FILE("/console/coupons.js", console_coupons_js, SCRIPT)                                        \
    FILE("/console/dom.js", console_dom_js, SCRIPT)                                                \
    FILE("/console/faults.js", console_faults_js, SCRIPT)                                          \
    FILE("/console/letters.js", console_letters_js, SCRIPT)                                        \
    FILE("/console/metrics.js", console_metrics_js, SCRIPT)                                        \
    FILE("/console/operations.js", console_operations_js, SCRIPT)                                  \
    FILE("/console/orders.js", console_orders_js, SCRIPT)                                          \
    FILE("/console/path.js", console_path_js, SCRIPT)                                              \
    FILE("/console/places.js", console_places_js, SCRIPT)                                          \
    FILE("/console/sagas.js", console_sagas_js, SCRIPT)                                            \
    FILE("/console/shop.js", console_shop_js, SCRIPT)                                              \
    FILE("/console/words.js", console_words_js, SCRIPT)                                            \
    FILE("/console/uPlot.min.css", console_uPlot_min_css, STYLE)                                   \
    FILE("/console/uPlot.iife.min.js", console_uPlot_iife_min_js, SCRIPT)                          \
    FILE("/docs", docs_index_html, PAGE)                                                           \
    FILE("/docs/docs.js", docs_docs_js, SCRIPT)                                                    \
    FILE("/docs/swagger-ui.css", docs_swagger_ui_css, STYLE)                                       \
    FILE("/docs/swagger-ui-bundle.js", docs_swagger_ui_bundle_js, SCRIPT)

#define PAGE "text/html; charset=utf-8"
#define STYLE "text/css; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"
#define DRAWING "image/svg+xml"

#define DECLARE(path, name, type)                                                                  \
    extern const char _binary_##name##_start[], _binary_##name##_end[];
FILES(DECLARE)

#define ROW(path, name, type) {path, type, _binary_##name##_start, _binary_##name##_end},
static const struct {
    const char *path;
    const char *type;
    const char *start, *end;
} files[] = {FILES(ROW)};

struct document {
    const char *path;
    const char *type;
    const char *data;
    size_t length;
    char etag[ENTITY_TAG_SIZE];
};

struct web {
    struct document documents[COUNT(files) + 1];
};

static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const struct web *web_create(struct arena *arena, const struct router *router)
{
    struct web *web = arena_alloc(arena, sizeof(*web));
    const char *description = openapi_make(arena, router);
    web->documents[0] = (struct document){
        .path = "/openapi.json",
        .type = "application/json",
        .data = description,
        .length = strlen(description),
    };
    for (size_t i = 0; i < COUNT(files); i++)
        web->documents[i + 1] = (struct document){
            .path = files[i].path,
            .type = files[i].type,
            .data = files[i].start,
            .length = (size_t)(files[i].end - files[i].start),
        };
    for (size_t i = 0; i < COUNT(web->documents); i++)
        entity_tag_make(web->documents[i].data, web->documents[i].length, web->documents[i].etag);
    return web;
}

static const struct document *find(const struct web *web, const char *path)
{
    for (size_t i = 0; i < COUNT(web->documents); i++)
        if (strcmp(web->documents[i].path, path) == 0)
            return &web->documents[i];
    return NULL;
}

void web_serve(struct request *request)
{
    const struct document *document = find(request->gateway->web, request->path);
    if (!document) {
        answer_problem(request, refuse(REASON_ROUTE_NOT_FOUND, NULL), NULL, 0);
        return;
    }
    request->answer.cacheable = true;
    answer_add_header(request, MHD_HTTP_HEADER_ETAG, document->etag);
    answer_add_header(request, MHD_HTTP_HEADER_CACHE_CONTROL, "public, no-cache");
    answer_add_header(request, "Content-Security-Policy", page_policy);
    answer_add_header(request, "Referrer-Policy", "no-referrer");
    if (entity_tag_is_known(request->headers.if_none_match, document->etag)) {
        text_buffer_init(&request->answer.body, request->arena, 1);
        answer_with(request, MHD_HTTP_NOT_MODIFIED, NULL);
        return;
    }
    // Read only from here on, and longer-lived than any request.
    request->answer.body = (struct text_buffer){
        .data = (char *)(uintptr_t)document->data,
        .length = document->length,
    };
    answer_with(request, MHD_HTTP_OK, document->type);
}
