SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  /* Without this, Swagger UI would send the document to another host. */
  validatorUrl: null,
});
