// The documents stay in memory, each with the hash of its bytes as its entity tag: they are the same
// for everybody, for as long as this build runs.
//
// The page runs only scripts of this origin, none inside the page, and may be shown in no frame.

#include "gateway/docs.h"

#include "gateway/openapi.h"
#include "gateway/request.h"
#include "lib/base/macros.h"

#include <string.h>

// The files that the build packed, see the Makefile.
extern const char _binary_index_html_start[], _binary_index_html_end[];
extern const char _binary_docs_js_start[], _binary_docs_js_end[];
extern const char _binary_swagger_ui_css_start[], _binary_swagger_ui_css_end[];
extern const char _binary_swagger_ui_bundle_js_start[], _binary_swagger_ui_bundle_js_end[];

static const struct {
    const char *path;
    const char *type;
    const char *start, *end;
} files[] = {
    {"/docs",                      "text/html; charset=utf-8",       _binary_index_html_start,     _binary_index_html_end          },
    {"/docs/docs.js",              "text/javascript; charset=utf-8", _binary_docs_js_start,        _binary_docs_js_end             },
    {"/docs/swagger-ui.css",       "text/css; charset=utf-8",        _binary_swagger_ui_css_start,
     _binary_swagger_ui_css_end                                                                                                    },
    {"/docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8",
     _binary_swagger_ui_bundle_js_start,                                                           _binary_swagger_ui_bundle_js_end},
};

struct document {
    const char *path;
    const char *type;
    const char *data;
    size_t length;
    char etag[ENTITY_TAG_SIZE];
};

struct docs {
    struct document documents[COUNT(files) + 1];
};

static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const struct docs *docs_create(struct arena *arena, const struct router *router)
{
    struct docs *docs = arena_alloc(arena, sizeof(*docs));
    const char *description = openapi_make(arena, router);
    docs->documents[0] = (struct document){
        .path = "/openapi.json",
        .type = "application/json",
        .data = description,
        .length = strlen(description),
    };
    for (size_t i = 0; i < COUNT(files); i++)
        docs->documents[i + 1] = (struct document){
            .path = files[i].path,
            .type = files[i].type,
            .data = files[i].start,
            .length = (size_t)(files[i].end - files[i].start),
        };
    for (size_t i = 0; i < COUNT(docs->documents); i++)
        entity_tag_make(docs->documents[i].data, docs->documents[i].length,
                        docs->documents[i].etag);
    return docs;
}

static const struct document *find(const struct docs *docs, const char *path)
{
    for (size_t i = 0; i < COUNT(docs->documents); i++)
        if (strcmp(docs->documents[i].path, path) == 0)
            return &docs->documents[i];
    return NULL;
}

void docs_serve(struct request *request)
{
    const struct document *document = find(request->gateway->docs, request->path);
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
