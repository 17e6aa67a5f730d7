// What a phone keeps until the server has it, for pages that work without a network: a stand's, a venue's. `keepUntilSent`
// is called by the page's own module, which is loaded after this one.
//
//   name: of the list in localStorage      page: kept by the service worker       path: where the list is sent
//   most: so many at once                  body(things): what is sent             answered(json, fresh): what became of it,
//   refresh(): brings the page up to date   as { done: ids, words, look }

window.keepUntilSent = ({ name, page, path, most, body, answered, refresh, polls }) => {
  const sign = document.querySelector("#queue");
  const waiting = () => JSON.parse(localStorage.getItem(name) || "[]");
  const keep = (things) => localStorage.setItem(name, JSON.stringify(things));

  const offline = () => document.body.classList.toggle("offline", !navigator.onLine);
  addEventListener("online", () => { offline(); send(); });
  addEventListener("offline", offline);
  offline();

  if ("serviceWorker" in navigator) {
    navigator.serviceWorker.register("/sw.js").then(async () => {
      const { active } = await navigator.serviceWorker.ready;
      const parts = [...document.querySelectorAll("link[rel=stylesheet], link[rel=icon], script[src], .brand img")];
      active.postMessage({ keep: [page, "/assets/icons.svg", ...parts.map((part) => part.href || part.src)] });
    }).catch(() => { /* Without a service worker the page still works while it stays open. */ });
  }

  function say(words, look) {
    sign.hidden = !words;
    sign.className = `notice above ${look}`;
    sign.querySelector("strong").textContent = words;
  }

  let sending = false;
  async function send(fresh = false) {
    const things = waiting().slice(0, most);
    if (!things.length || sending) return;
    sending = true;
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(body(things)),
    }).catch(() => null);
    sending = false;
    if (answer && answer.ok) {
      const { done, words, look } = answered(await answer.json(), fresh, sign.dataset);
      keep(waiting().filter(({ id }) => !done.includes(id)));
      say(words, look);
      await refresh();
      if (waiting().length) send();
    } else {
      const shut = answer && (answer.status === 401 || answer.status === 403);
      say(`${waiting().length} ${shut ? sign.dataset.login : sign.dataset.waiting}`, "info");
    }
  }

  setInterval(() => {
    if (document.visibilityState !== "visible" || !navigator.onLine) return;
    if (waiting().length) send();
    else if (polls) refresh();
  }, 10000);
  if (waiting().length) send();

  return {
    waiting,
    // A name that no other thing has.
    made: () => `${Date.now()}-${[...crypto.getRandomValues(new Uint32Array(3))].join("-")}`,
    add(thing) {
      keep([...waiting(), thing]);
      say(`${waiting().length} ${sign.dataset.waiting}`, "info");
      send(true);
    },
    // A form that was sent by script may be sent again.
    free(form) {
      delete form.dataset.sent;
      const busy = form.querySelector("[aria-busy]");
      if (busy) busy.removeAttribute("aria-busy");
    },
    // Takes parts of a page that the server made into this one.
    async take(answer, names) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const name of names) {
        const [part, here] = [fresh.querySelector(name), document.querySelector(name)];
        if (!part || !here) continue;
        here.textContent = "";
        here.append(...part.childNodes);
      }
    },
  };
};
