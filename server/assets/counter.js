// A venue's page: reads vouchers by the camera or from a photograph and redeems them. Without a network it judges by the
// list it has of the venue's vouchers, and keeps what was redeemed until the server has judged it too. Without this module
// the page is plain forms.

const look = document.querySelector("#look");
const said = document.querySelector("#said");
const sign = document.querySelector("#queue");
const WAITING = "venue-waiting";

const waiting = () => JSON.parse(localStorage.getItem(WAITING) || "[]");
const keep = (wishes) => localStorage.setItem(WAITING, JSON.stringify(wishes));
const made = () => `${Date.now()}-${Array.from(crypto.getRandomValues(new Uint32Array(3))).join("-")}`;

const offline = () => document.body.classList.toggle("offline", !navigator.onLine);
addEventListener("online", () => { offline(); send(); });
addEventListener("offline", offline);
offline();

if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("/sw.js").then(async () => {
    const { active } = await navigator.serviceWorker.ready;
    const parts = [...document.querySelectorAll("link[rel=stylesheet], link[rel=icon], script[src], .brand img")];
    active.postMessage({ keep: ["/venue", "/assets/icons.svg", ...parts.map((part) => part.href || part.src)] });
  }).catch(() => { /* Without a service worker the page still works while it stays open. */ });
}

function say(words, kind) {
  sign.hidden = !words;
  sign.className = `notice above ${kind}`;
  sign.querySelector("strong").textContent = words;
}

function free(form) {
  delete form.dataset.sent;
  const busy = form.querySelector("[aria-busy]");
  if (busy) busy.removeAttribute("aria-busy");
}

// Takes parts of a page that the server made into this one.
async function take(answer, names) {
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const name of names) {
    const part = fresh.querySelector(name);
    const here = document.querySelector(name);
    if (!part || !here) continue;
    here.textContent = "";
    here.append(...part.childNodes);
  }
}

async function post(path, fields) {
  try {
    return await fetch(path, { method: "POST", body: new URLSearchParams(fields) });
  } catch (fault) {
    return null;
  }
}

look.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = said.value.trim();
  if (!text) return free(look);
  const answer = await post("/venue/look", { id: made(), said: text });
  free(look);
  if (answer && answer.redirected) return location.reload();
  if (answer && answer.ok) {
    await take(answer, ["#found", "[data-live=done]"]);
    document.querySelector("#found").scrollIntoView({ block: "nearest" });
    return;
  }
  const found = document.querySelector("#found");
  found.textContent = "";
  found.append(await judged(text));
  found.scrollIntoView({ block: "nearest" });
  const button = found.querySelector("#note");
  if (button) button.addEventListener("click", () => {
    note(made(), text, button.dataset.of);
    found.textContent = "";
  });
});

document.addEventListener("submit", async (event) => {
  if (event.target.id !== "redeem") return;
  event.preventDefault();
  const typed = new FormData(event.target);
  const [id, text] = [typed.get("id"), typed.get("said")];
  const answer = await post("/venue/redemptions", { id, said: text });
  if (answer && (answer.ok || answer.status === 409)) {
    await take(answer, ["#found", "[data-live=done]"]);
    said.value = "";
    if (navigator.vibrate) navigator.vibrate(answer.ok ? 60 : [60, 60, 60]);
    return;
  }
  // It may have arrived: under the same id it is the same redemption.
  note(id, text, await printOf(text));
  document.querySelector("#found").textContent = "";
});

function note(id, text, of) {
  keep([...waiting(), { id, said: text, at_ms: Date.now(), of }]);
  said.value = "";
  say(`${waiting().length} ${sign.dataset.waiting}`, "info");
  send();
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

async function fingerprint(text) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(hash.slice(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The voucher on the list that a code or a serial names.
async function listed(text) {
  const list = JSON.parse(localStorage.getItem(LIST) || "null");
  if (!list || !crypto.subtle) return null;
  const said = plain(text);
  const name = isCode(said) ? "code" : "serial";
  const looked = await fingerprint(name === "code" ? said.slice(0, 150) : said.replace(/0/g, "O").replace(/1/g, "I").replace(/8/g, "B"));
  return { list, voucher: list.vouchers.find((voucher) => voucher[name] === looked) };
}

async function printOf(text) {
  const found = await listed(text);
  return found && found.voucher ? found.voucher.serial : undefined;
}

const inBeijing = (ms) => new Date(ms + 8 * 3600000).toISOString();

// What can be said of a voucher without the server, as a part of the page.
async function judged(text) {
  const part = document.querySelector("#away").content.cloneNode(true);
  const found = await listed(text);
  if (!found) return part;
  const { list, voucher } = found;
  const tell = (word, look, fill) => {
    const said = part.querySelector(`[data-word=${word}]`);
    part.querySelector("strong").textContent = said.dataset.what;
    part.querySelector("p").textContent = said.dataset.then.replace("{}", fill || inBeijing(list.at_ms).slice(5, 16).replace("T", " "));
    part.querySelector(".notice").className = `notice ${look}`;
    const icon = part.querySelector("use");
    icon.setAttribute("href", icon.getAttribute("href").replace(/#.*/, `#${look}`));
    if (word !== "unknown" && word !== "good") part.querySelector(".act").remove();
  };
  if (!voucher) tell("unknown", "warn");
  else {
    const batch = list.batches[voucher.batch];
    const now = Date.now() + list.skew;
    const today = inBeijing(now).slice(0, 10);
    const left = voucher.left - waiting().filter(({ of }) => of === voucher.serial).length;
    const next = batch.days && batch.days.find((day) => day > today);
    if (left < 1) tell("used", "warn");
    else if (now < voucher.from_ms - TOLERANCE) tell("early", "warn", inBeijing(voucher.from_ms).slice(0, 10));
    else if (now >= voucher.to_ms + TOLERANCE) tell("late", "warn");
    else if (batch.days && !batch.days.includes(today)) tell("closed", "warn", next || "—");
    else {
      tell("good", "ok");
      const button = part.querySelector("#note");
      button.dataset.of = voucher.serial;
      button.textContent = button.dataset.good;
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

let sending = false;
async function send() {
  const wishes = waiting().slice(0, 100);
  if (!wishes.length || sending) return;
  sending = true;
  const redemptions = wishes.map(({ id, said, at_ms }) => ({ id, said, at_ms, age_ms: Math.max(0, Date.now() - at_ms) }));
  let answer;
  try {
    answer = await fetch("/api/v1/venue/redemptions", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ redemptions }),
    });
  } catch (fault) {
    answer = null;
  }
  sending = false;
  if (answer && answer.ok) {
    const { results } = await answer.json();
    const done = new Set(results.map(({ id }) => id));
    keep(waiting().filter(({ id }) => !done.has(id)));
    const bad = results.find(({ verdict }) => verdict !== "admitted");
    if (bad) say(`${sign.dataset.refused}${bad.serial || ""} ${bad.headline} ${bad.next}`, "warn");
    else say("", "ok");
    const page = await fetch("/venue").catch(() => null);
    if (page && page.ok && !page.redirected) await take(page, ["[data-live=done]"]);
    await renew();
    if (waiting().length) send();
  } else {
    const shut = answer && (answer.status === 401 || answer.status === 403);
    say(`${waiting().length} ${shut ? sign.dataset.login : sign.dataset.waiting}`, "info");
  }
}

setInterval(() => { if (document.visibilityState === "visible" && navigator.onLine && waiting().length) send(); }, 10000);
if (waiting().length) send();

function read(text) {
  said.value = text;
  if (navigator.vibrate) navigator.vibrate(60);
  look.requestSubmit ? look.requestSubmit() : look.querySelector("button").click();
}

document.querySelector("#ways").hidden = false;
const scan = document.querySelector("#scan");
const camera = document.querySelector("#camera");
if ("BarcodeDetector" in window && navigator.mediaDevices) {
  scan.hidden = false;
  scan.addEventListener("click", async () => {
    if (camera.srcObject) return stop();
    try {
      camera.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch (fault) {
      return;
    }
    camera.hidden = false;
    await camera.play();
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    while (camera.srcObject) {
      const [code] = await detector.detect(camera).catch(() => []);
      if (code && code.rawValue) {
        stop();
        read(code.rawValue);
      }
      await new Promise((next) => setTimeout(next, 120));
    }
  });
}

function stop() {
  if (camera.srcObject) for (const track of camera.srcObject.getTracks()) track.stop();
  camera.srcObject = null;
  camera.hidden = true;
}

// A photograph is made smaller before it is sent; the server reads it.
document.querySelector("#photo input").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (!file) return;
  const picture = await smaller(file);
  const answer = await fetch("/api/v1/venue/codes", { method: "POST", body: picture, headers: { "content-type": "application/octet-stream" } }).catch(() => null);
  const codes = answer && answer.ok ? (await answer.json()).codes : [];
  if (codes.length) read(codes[0]);
  else say(event.target.dataset.none, "warn");
});

function smaller(file) {
  return new Promise((done) => {
    const image = new Image();
    image.onload = () => {
      const scale = Math.min(1, 1600 / Math.max(image.width, image.height));
      const canvas = document.createElement("canvas");
      canvas.width = image.width * scale;
      canvas.height = image.height * scale;
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => done(blob || file), "image/jpeg", 0.85);
      URL.revokeObjectURL(image.src);
    };
    image.onerror = () => done(file);
    image.src = URL.createObjectURL(file);
  });
}
