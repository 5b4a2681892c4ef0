/* Swagger UI in the place of the plain list. What it tries out is sent as the page's own forms are, with their token. */

const place = document.getElementById("api-docs");
const make = globalThis.SwaggerUIBundle;
if (place && make) {
  const token = place.dataset.token ?? "";
  make({
    url: place.dataset.document,
    domNode: place,
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    filter: true,
    // Nobody else is asked whether the document is valid.
    validatorUrl: null,
    requestInterceptor: (request) => {
      if (!request.headers.Authorization) request.headers["X-CSRFToken"] = token;
      return request;
    },
  });
}
