// Serves an opened ticket when there is no network. Nothing else is kept: what is on a page should be fresh, and a
// phone that is lent to somebody should hold no more than the tickets opened on it.

const KEPT = "tickets-1";

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("message", (event) => {
  const keep = event.data?.keep;
  if (!keep) return;
  event.waitUntil(caches.open(KEPT).then((kept) => Promise.allSettled(keep.map((url) => store(kept, url)))));
});

async function store(kept, url) {
  const answer = await fetch(url, { credentials: "same-origin" });
  if (answer.ok && !answer.redirected) await kept.put(url, answer);
}

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  // Who signs out is done with this phone: their tickets leave it.
  if (request.method === "POST" && url.pathname === "/logout") event.waitUntil(caches.delete(KEPT));
  if (request.method !== "GET") return;
  const ticket = url.pathname.startsWith("/tickets/") && request.mode === "navigate";
  if (ticket || url.pathname.startsWith("/assets/")) event.respondWith(networkFirst(request, ticket));
});

async function networkFirst(request, ticket) {
  const kept = await caches.open(KEPT);
  try {
    const answer = await fetch(request);
    if (ticket && answer.ok && !answer.redirected) await kept.put(request.url, answer.clone());
    // The ticket is gone or no longer this person's: it must not come back from the cache.
    if (ticket && !answer.ok && answer.status < 500) await kept.delete(request.url);
    return answer;
  } catch (fault) {
    const before = await kept.match(request.url);
    if (before) return before;
    throw fault;
  }
}
