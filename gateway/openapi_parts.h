#pragma once
// The parts of the API's description that operations share. The caller owns what is returned.

#include <jansson.h>

extern const char openapi_introduction[];

json_t *openapi_tags(void); // one a service, with the service's comment
json_t *openapi_headers(void);
json_t *openapi_header_parameters(void); // Idempotency-Key, Prefer
json_t *openapi_security_schemes(void);

// RFC 9457's document with our extensions, and the list of all codes.
void openapi_add_problem_schema(json_t *schemas);

// "Problem404" and the like, one for each status of errors.c with the codes that it has, and
// "Problem" for any of them.
json_t *openapi_problem_responses(void);
