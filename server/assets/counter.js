// A venue's page: looks at vouchers and redeems them. Without a network it judges by the list it has of the venue's vouchers,
// and keeps what was redeemed until the server has judged it too (queue.js). Without this module the page is plain forms.

const look = document.querySelector("#look");
const said = document.querySelector("#said");
const found = document.querySelector("#found");

const queue = keepUntilSent({
  name: "venue-waiting",
  page: "/venue",
  path: "/api/v1/venue/redemptions",
  most: 100,
  body: (wishes) => ({
    redemptions: wishes.map(({ id, said, at_ms, seen }) => ({ id, said, at_ms, seen, age_ms: Math.max(0, Date.now() - at_ms) })),
  }),
  answered({ results }, fresh, words) {
    const done = results.map(({ id }) => id);
    const bad = results.find(({ verdict }) => verdict !== "admitted");
    if (!bad) return { done, words: "", look: "ok" };
    return { done, words: `${words.refused}${bad.serial || ""} ${bad.headline} ${bad.next}`, look: "warn" };
  },
  async refresh() {
    const answer = await fetch("/venue").catch(() => null);
    if (answer && answer.ok && !answer.redirected) await queue.take(answer, ["[data-live=done]"]);
    await renew();
  },
});

const post = (path, fields) => fetch(path, { method: "POST", body: new URLSearchParams(fields) }).catch(() => null);

look.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = said.value.trim();
  if (!text) return queue.free(look);
  const answer = await post("/venue/look", { id: queue.made(), said: text });
  queue.free(look);
  if (answer && answer.redirected) return location.reload();
  if (answer && answer.ok) {
    await queue.take(answer, ["#found", "[data-live=done]"]);
    found.scrollIntoView({ block: "nearest" });
    return;
  }
  found.textContent = "";
  found.append(judged(text));
  found.scrollIntoView({ block: "nearest" });
  const button = found.querySelector("#note");
  if (button) button.addEventListener("click", () => note(queue.made(), text, button.dataset.of, button.dataset.seen));
});

document.addEventListener("submit", async (event) => {
  if (event.target.id !== "redeem") return;
  event.preventDefault();
  const typed = new FormData(event.target);
  const [id, text, seen] = ["id", "said", "seen"].map((name) => typed.get(name));
  const answer = await post("/venue/redemptions", { id, said: text, seen });
  if (answer && (answer.ok || answer.status === 409)) {
    await queue.take(answer, ["#found", "[data-live=done]"]);
    said.value = "";
    if (navigator.vibrate) navigator.vibrate(answer.ok ? 60 : [60, 60, 60]);
    return;
  }
  // It may have arrived: under the same id it is the same redemption.
  note(id, text, printOf(text), seen || undefined);
});

function note(id, text, of, seen) {
  found.textContent = "";
  said.value = "";
  queue.add({ id, said: text, at_ms: Date.now(), of, seen });
}

// ---------------------------------------------------------------- without a network

const LIST = "venue-vouchers";
const TOLERANCE = 120000; // As a door's clock has it.

// The list of the venue's vouchers, as fingerprints: on the phone it names nobody.
async function renew() {
  const answer = await fetch("/api/v1/venue/vouchers", { headers: { accept: "application/json" } }).catch(() => null);
  if (answer && answer.status === 403) localStorage.removeItem(LIST);
  if (!answer || !answer.ok) return;
  const list = await answer.json();
  list.skew = list.at_ms - Date.now();
  try { localStorage.setItem(LIST, JSON.stringify(list)); } catch (full) { localStorage.removeItem(LIST); }
}

const plain = (text) => text.normalize("NFKC").toUpperCase().replace(/[^A-Z0-9]/g, "");
const isCode = (said) => said.startsWith("T1") && said.length >= 150;

const fingerprint = (text) => sha256.hex(sha256.of(sha256.utf8(text)).slice(0, 8));

// The voucher on the list that a code or a serial names.
function listed(text) {
  const list = JSON.parse(localStorage.getItem(LIST) || "null");
  if (!list) return null;
  const said = plain(text);
  const name = isCode(said) ? "code" : "serial";
  const looked = fingerprint(name === "code" ? said.slice(0, 150) : said.replace(/0/g, "O").replace(/1/g, "I").replace(/8/g, "B"));
  return { list, voucher: list.vouchers.find((voucher) => voucher[name] === looked) };
}

function printOf(text) {
  const found = listed(text);
  return found && found.voucher ? found.voucher.serial : undefined;
}

const inBeijing = (ms) => new Date(ms + 8 * 3600000).toISOString();

// What can be said of a voucher without the server, as a part of the page.
function judged(text) {
  const part = document.querySelector("#away").content.cloneNode(true);
  const found = listed(text);
  if (!found) return part;
  const { list, voucher } = found;
  const tell = (word, look, fill) => {
    const said = part.querySelector(`[data-word=${word}]`);
    part.querySelector("strong").textContent = said.dataset.what;
    part.querySelector("p").textContent = said.dataset.then.replace("{}", fill || inBeijing(list.at_ms).slice(5, 16).replace("T", " "));
    part.querySelector(".notice").className = `notice ${look}`;
    const icon = part.querySelector("use");
    icon.setAttribute("href", icon.getAttribute("href").replace(/#.*/, `#${look}`));
    if (!["unknown", "good", "ask"].includes(word)) part.querySelector(".act").remove();
  };
  if (!voucher) tell("unknown", "warn");
  else {
    const batch = list.batches[voucher.batch];
    const now = Date.now() + list.skew;
    const today = inBeijing(now).slice(0, 10);
    const left = voucher.left - queue.waiting().filter(({ of }) => of === voucher.serial).length;
    const next = batch.days && batch.days.find((day) => day > today);
    if (left < 1) tell("used", "warn");
    else if (now < voucher.from_ms - TOLERANCE) tell("early", "warn", inBeijing(voucher.from_ms).slice(0, 10));
    else if (now >= voucher.to_ms + TOLERANCE) tell("late", "warn");
    else if (batch.days && !batch.days.includes(today)) tell("closed", "warn", next || "—");
    else {
      tell(...batch.moving_code ? ["ask", "info"] : ["good", "ok"]);
      const button = part.querySelector("#note");
      button.dataset.of = voucher.serial;
      button.textContent = batch.moving_code ? button.dataset.ask : button.dataset.good;
      if (batch.moving_code) button.dataset.seen = "id";
      const facts = part.querySelector("dl");
      facts.hidden = false;
      facts.querySelector(".batch").textContent = batch.name;
      facts.querySelector(".left").textContent = `${left} / ${batch.of}`;
      facts.querySelector(".companions").textContent = batch.companions;
    }
  }
  return part;
}

renew();
setInterval(() => { if (document.visibilityState === "visible" && navigator.onLine) renew(); }, 60000);
