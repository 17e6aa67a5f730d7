// Answers a tap at once and takes a second tap for the same one. The server is safe without this (each form carries its
// own idempotency key); it only tells the person that something is happening.

for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    // Browsers before 2020 do not say which button it was; it has the focus, or there is one only.
    const button = event.submitter || (document.activeElement.form === form ? document.activeElement : form.querySelector("button"));
    // Only after 100 ms: a quick answer needs no spinner. A disabled button would not be sent, so it stays enabled.
    if (button) setTimeout(() => form.dataset.sent && button.setAttribute("aria-busy", "true"), 100);
  });
}

// A box that ticks every other one of a name in its form; without scripts it is not there.
for (const all of document.querySelectorAll("[data-all]")) {
  all.closest("label").hidden = false;
  all.addEventListener("change", () => {
    for (const box of all.form.querySelectorAll(`input[name="${all.dataset.all}"]`)) box.checked = all.checked;
  });
}

// Coming back with the back button shows the page as it was; the buttons must work again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  }
});
