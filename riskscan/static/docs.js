// Swagger UI over our own OpenAPI document; its Authorize button logs in by the password grant.
if (matchMedia("(prefers-color-scheme: dark)").matches) document.documentElement.classList.add("dark-mode");

SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#swagger-ui",
  validatorUrl: null,  // the default asks a foreign host
  displayRequestDuration: true,
  onComplete() {
    // its headings jump from the first level to the third, and two of its sections have no name
    for (const heading of document.querySelectorAll("h3.opblock-tag, .models h4")) heading.setAttribute("aria-level", "2");
    for (const [section, name] of [[".information-container", "About"], [".scheme-container", "Authorization"]]) {
      const found = document.querySelector(`#swagger-ui ${section}`);
      found?.setAttribute("role", "region");
      found?.setAttribute("aria-label", name);
    }
  },
});
