// An employer's stand page: what is recorded is kept on the phone until the server has it (queue.js). Without this module
// the form is a plain form.

const form = document.querySelector("#record");

const queue = keepUntilSent({
  name: "stand-waiting",
  page: "/stand",
  path: "/api/v1/stand/encounters",
  most: 200,
  body: (facts) => ({ facts }),
  answered({ kept, refused }, fresh, words) {
    const done = [...kept, ...refused.map(({ id }) => id)];
    if (refused.length) return { done, words: `${words.refused}${refused[0].title}`, look: "warn" };
    return { done, words: fresh || kept.length ? words.kept : "", look: "ok" };
  },
  // Consent may come on the visitor's phone at any moment.
  polls: true,
  async refresh() {
    const answer = await fetch("/stand").catch(() => null);
    if (answer && answer.ok && !answer.redirected) await queue.take(answer, ["[data-live=people]"]);
  },
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const typed = new FormData(form);
  const fact = {
    id: queue.made(),
    card: typed.get("card"),
    outcome: typed.get("outcome"),
    post: typed.get("post") ? Number(typed.get("post")) : null,
    grade: typed.get("grade") || null,
    note: typed.get("note"),
    consent: typed.get("consent") === "yes",
    at_ms: Date.now(),
  };
  form.reset();
  // The next person is a new one: nothing of the last stays, and the form is at hand again.
  for (const field of form.querySelectorAll("#card, #note")) field.value = "";
  for (const box of form.querySelectorAll("[name=consent], [name=grade]")) box.checked = false;
  queue.free(form);
  queue.add(fact);
});
