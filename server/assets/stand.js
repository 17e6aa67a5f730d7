// An employer's stand page: keeps what is recorded on the phone
// until the server has it, and sends it whenever there is a network. Without this module the form is a plain form.

const form = document.querySelector("#record");
const sign = document.querySelector("#queue");
const WAITING = "stand-waiting";

const waiting = () => JSON.parse(localStorage.getItem(WAITING) || "[]");
const keep = (facts) => localStorage.setItem(WAITING, JSON.stringify(facts));

const offline = () => document.body.classList.toggle("offline", !navigator.onLine);
addEventListener("online", () => { offline(); send(); });
addEventListener("offline", offline);
offline();

if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("/sw.js").then(async () => {
    const { active } = await navigator.serviceWorker.ready;
    const parts = [...document.querySelectorAll("link[rel=stylesheet], link[rel=icon], script[src], .brand img")];
    active.postMessage({ keep: ["/stand", "/assets/icons.svg", ...parts.map((part) => part.href || part.src)] });
  }).catch(() => { /* Without a service worker the page still works while it stays open. */ });
}

function say(words, look) {
  sign.hidden = !words;
  sign.className = `notice above ${look}`;
  sign.querySelector("strong").textContent = words;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const typed = new FormData(form);
  const fact = {
    id: `${Date.now()}-${[...crypto.getRandomValues(new Uint32Array(3))].join("-")}`,
    card: typed.get("card"),
    outcome: typed.get("outcome"),
    post: typed.get("post") ? Number(typed.get("post")) : null,
    grade: typed.get("grade") || null,
    note: typed.get("note"),
    consent: typed.get("consent") === "yes",
    at_ms: Date.now(),
  };
  keep([...waiting(), fact]);
  form.reset();
  // The next person is a new one: nothing of the last stays, and the form is at hand again.
  for (const field of form.querySelectorAll("#card, #note")) field.value = "";
  for (const box of form.querySelectorAll("[name=consent], [name=grade]")) box.checked = false;
  delete form.dataset.sent;
  const busy = form.querySelector("[aria-busy]");
  if (busy) busy.removeAttribute("aria-busy");
  send(true);
});

let sending = false;
async function send(fresh = false) {
  const facts = waiting().slice(0, 200);
  if (!facts.length || sending) return;
  sending = true;
  let answer;
  try {
    answer = await fetch("/api/v1/stand/encounters", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ facts }),
    });
  } catch (fault) {
    answer = null;
  }
  sending = false;
  if (answer && answer.ok) {
    const { kept, refused } = await answer.json();
    const done = new Set([...kept, ...refused.map(({ id }) => id)]);
    keep(waiting().filter(({ id }) => !done.has(id)));
    if (refused.length) say(`${sign.dataset.refused}${refused[0].title}`, "warn");
    else say(fresh || kept.length ? sign.dataset.kept : "", "ok");
    await refresh();
    if (waiting().length) send();
  } else {
    const words = answer && (answer.status === 401 || answer.status === 403) ? sign.dataset.login : sign.dataset.waiting;
    say(`${waiting().length} ${words}`, "info");
  }
}

async function refresh() {
  const answer = await fetch("/stand").catch(() => null);
  if (!answer || !answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live=people]");
  if (!fresh) return;
  const people = document.querySelector("[data-live=people]");
  people.textContent = "";
  people.append(...fresh.childNodes);
}

// Consent may come on the visitor's phone at any moment.
setInterval(() => { if (document.visibilityState === "visible" && navigator.onLine) waiting().length ? send() : refresh(); }, 10000);
if (waiting().length) send();
