// Swagger UI for our OpenAPI document; its Authorize button logs in with the password grant.
if (matchMedia("(prefers-color-scheme: dark)").matches) document.documentElement.classList.add("dark-mode");

SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#swagger-ui",
  validatorUrl: null,  // the default sends the document to an external validator
  displayRequestDuration: true,
  onComplete() {
    // accessibility: headings skip from level 1 to 3, and two sections have no accessible name
    for (const heading of document.querySelectorAll("h3.opblock-tag, .models h4")) heading.setAttribute("aria-level", "2");
    for (const [section, name] of [[".information-container", "About"], [".scheme-container", "Authorization"]]) {
      const element = document.querySelector(`#swagger-ui ${section}`);
      element?.setAttribute("role", "region");
      element?.setAttribute("aria-label", name);
    }
  },
});
