/* ReDoc, drawn from the server's own document. */

const place = document.getElementById("redoc");
const make = globalThis.Redoc;
if (place && make) {
  make.init(place.dataset.document, { hideDownloadButton: true, expandResponses: "200,201" }, place);
}
