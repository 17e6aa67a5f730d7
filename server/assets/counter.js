// A venue's page: reads vouchers by the camera or from a photograph, redeems them, keeps on the phone what was redeemed
// without a network until the server has judged it. Without this module the page is plain forms.

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
  found.append(document.querySelector("#away").content.cloneNode(true));
  found.querySelector("#note").addEventListener("click", () => {
    note(made(), text);
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
  note(id, text);
  document.querySelector("#found").textContent = "";
});

function note(id, text) {
  keep([...waiting(), { id, said: text, at_ms: Date.now() }]);
  said.value = "";
  say(`${waiting().length} ${sign.dataset.waiting}`, "info");
  send();
}

let sending = false;
async function send() {
  const wishes = waiting().slice(0, 100);
  if (!wishes.length || sending) return;
  sending = true;
  const redemptions = wishes.map((wish) => Object.assign({ age_ms: Math.max(0, Date.now() - wish.at_ms) }, wish));
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
