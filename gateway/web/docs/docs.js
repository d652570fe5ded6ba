// Shows /openapi.json with Swagger UI. A file of its own, because the page's policy allows no script
// inside it.
/* global SwaggerUIBundle */
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "none",
  validatorUrl: null,
});
