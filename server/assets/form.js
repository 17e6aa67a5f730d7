// Answers a tap at once and takes a second tap for the same one. The server is safe without this (each form carries its
// own idempotency key); it only tells the person that something is happening.

for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    const button = event.submitter;
    // Only after 100 ms: a quick answer needs no spinner. A disabled button would not be sent, so it stays enabled.
    if (button) setTimeout(() => form.dataset.sent && button.setAttribute("aria-busy", "true"), 100);
  });
}

// Coming back with the back button shows the page as it was; the buttons must work again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
  }
});
