// Serves an opened ticket, and an employer's stand page, when there is no network. Nothing else is kept: what is on a page
// should be fresh, and a phone that is lent to somebody should hold no more than was opened on it.

const KEPT = "tickets-1";

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("message", (event) => {
  const keep = event.data && event.data.keep;
  if (!keep) return;
  event.waitUntil(caches.open(KEPT).then((kept) => Promise.all(keep.map((url) => store(kept, url).catch(() => {})))));
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
  const kept = url.pathname.startsWith("/tickets/") || url.pathname === "/stand" || url.pathname === "/venue";
  const ticket = kept && request.mode === "navigate";
  if (ticket || url.pathname.startsWith("/assets/")) event.respondWith(networkFirst(request, ticket));
  else if (request.mode === "navigate") event.respondWith(fetch(request).catch(ticketsHere));
});

// Any other page without a network: says so, and leads to the tickets that were opened on this phone.
async function ticketsHere(fault) {
  const kept = await caches.open(KEPT);
  const addresses = (await kept.keys()).map(({ url }) => url.slice(location.origin.length));
  const style = addresses.find((address) => address.includes(".css"));
  let lang = "zh-CN", cards = "";
  for (const address of addresses.filter((address) => address.startsWith("/tickets/"))) {
    const page = await (await kept.match(address)).text();
    const said = (part) => (page.match(part) || ["", ""])[1];
    lang = said(/<html lang="([^"]+)"/) || lang;
    cards += `<li><a class="card" href="${address}"><div><h2>${said(/<h1>([^<]*)/)}</h2><p>${said(/class="holder"><b>([^<]*)/)}</p></div></a></li>`;
  }
  if (!cards) throw fault;
  const [title, words] = lang.startsWith("zh")
    ? ["现在没有网络", "打开过的票照样能用："]
    : ["No network", "Tickets you have opened work all the same:"];
  const html = `<!doctype html><html lang="${lang}"><head><meta charset="utf-8"><title>${title}</title><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="${style}"></head><body><main class="page"><header class="title"><h1>${title}</h1><p class="lead">${words}</p></header><ul class="cards">${cards}</ul></main></body></html>`;
  return new Response(html, { headers: { "content-type": "text/html;charset=utf-8" } });
}

async function networkFirst(request, ticket) {
  const kept = await caches.open(KEPT);
  // The stand page is one page, whichever visitor it goes on from.
  const key = request.url.replace(/(\/(?:stand|venue))[?#].*/, "$1");
  try {
    const answer = await fetch(request);
    if (ticket && answer.ok && !answer.redirected) await kept.put(key, answer.clone());
    // The ticket is gone or no longer this person's: it must not come back from the cache.
    if (ticket && !answer.ok && answer.status < 500) await kept.delete(key);
    return answer;
  } catch (fault) {
    const before = await kept.match(key);
    if (before) return before;
    throw fault;
  }
}
