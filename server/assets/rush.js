// An offer that is given in order of arrival: counts down by the server's clock, keeps what was chosen, sends the
// person's own tap, and asks again under the same key until there is an answer. Without this the form works as any form.
//
//   <section class="offer" data-rush="OFFER" data-state="wait|book|line|full"> … form, [data-before], [data-left], …
//
// Nothing is sent before the person taps, and the button wakes when the server's clock says so: who is there and taps
// counts, not whose phone is told to fire first. The phone's own clock is never asked, only how much time has passed.
// Written for the oldest browsers that people have (WeChat's, Chrome 70), tests/tidy.rs looks after that.

const API = "/api/v1";
const RESUME_MS = 10 * 60 * 1000;

// ---------------------------------------------------------------- the server's clock

// The page said what time it was when it was made, so the server is at least so far; each answer can only move it on.
const navigation = performance.getEntriesByType("navigation")[0];
const arrived = navigation && navigation.responseStart > 0 ? navigation.responseStart : performance.now();
let ahead = -Infinity;
const heard = (serverMs, at) => { ahead = Math.max(ahead, serverMs - at); };
const serverNow = () => performance.now() + ahead;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// ---------------------------------------------------------------- what is kept when the page is loaded again

const kept = {
  read(offer) {
    try { return JSON.parse(sessionStorage.getItem(`rush ${offer}`)) || {}; } catch (fault) { return {}; }
  },
  write(offer, value) {
    try { sessionStorage.setItem(`rush ${offer}`, JSON.stringify(value)); } catch (fault) { /* Then it is not kept. */ }
  },
  forget(offer) {
    try { sessionStorage.removeItem(`rush ${offer}`); } catch (fault) { /* Nothing was kept. */ }
  },
};

// ---------------------------------------------------------------- the countdown

const countdown = (shown, over) => {
  const units = shown.dataset.units.split(" ");
  let timer = 0;
  const show = () => {
    clearTimeout(timer);
    const left = Number(shown.dataset.until) - serverNow();
    const rest = Math.max(0, Math.ceil(left / 1000));
    const parts = [Math.floor(rest / 86400), Math.floor(rest / 3600) % 24, Math.floor(rest / 60) % 60, rest % 60];
    const most = parts.findIndex((part) => part > 0);
    const first = most < 0 ? 3 : most;
    shown.textContent = "";
    parts.forEach((part, index) => {
      if (index < first && index < 2) return;
      const unit = document.createElement("small");
      unit.textContent = units[index];
      shown.append(index > first ? String(part).padStart(2, "0") : String(part), unit);
    });
    if (left > 0) timer = setTimeout(show, Math.min(left - (rest - 1) * 1000, 1000) + 5);
    else over();
  };
  show();
  return show;
};

// ---------------------------------------------------------------- an offer

class Offer {
  constructor(card) {
    this.card = card;
    this.id = card.dataset.rush;
    this.form = card.querySelector("form");
    this.page = this.form.getAttribute("action").replace(/\/booking$/, "");
    this.button = document.querySelector(`button[form="${this.form.id}"]`);
    this.names = Array.from(this.form.querySelectorAll("[name=guest]"));
    this.key = this.form.elements.key;
    this.told = card.querySelector("[data-told]");
    this.state = card.dataset.state;
    this.busy = false;
    this.restore();
    this.form.addEventListener("input", () => this.keep("wish"));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.tap();
    });
    this.show();
    this.clock = card.querySelector("output.countdown");
    this.recount = countdown(this.clock, () => this.opened());
  }

  // The key is kept with the tap, so that the same tap after a reload is the same booking.
  keep(what) {
    kept.write(this.id, { what, key: this.key.value, guests: this.names.map((field) => field.value), at: serverNow() });
  }

  restore() {
    const before = kept.read(this.id);
    if (!before.key) return;
    this.key.value = before.key;
    this.names.forEach((field, n) => { field.value = (before.guests && before.guests[n]) || ""; });
    if (before.what === "tap" && Math.abs(serverNow() - before.at) < RESUME_MS) setTimeout(() => this.go(), 0);
  }

  // Shows how the offer stands: `wait`, `book`, `line` or `full`.
  show() {
    const { card, button } = this;
    card.dataset.state = this.state;
    for (const part of card.querySelectorAll("[data-when]")) {
      // Who was just told so is not told twice that it is full.
      part.hidden = !part.dataset.when.split(" ").includes(this.state) || (this.lost && part.classList.contains("notice"));
    }
    if (!button || this.busy) return;
    button.textContent = button.dataset[this.state];
    button.disabled = this.state === "wait" || this.state === "full";
  }

  opened() {
    if (this.state !== "wait") return;
    this.state = "book";
    this.show();
    this.say("info", this.told.dataset.open, "");
  }

  // Figures as the server tells them.
  figures(rush) {
    const state = { not_open: "wait", open: "book", waiting_list: "line", sold_out: "full" }[rush.standing];
    for (const part of this.card.querySelectorAll("[data-figure]")) {
      const words = rush.waiting > 0 ? part.dataset.figure : part.dataset.nobody || part.dataset.figure;
      part.textContent = words.replace("{left}", Math.max(0, rush.left)).replace("{taken}", rush.taken).replace("{waiting}", rush.waiting);
    }
    const none = this.card.querySelector("[data-none]");
    if (none && rush.left <= 0) none.textContent = none.dataset.none;
    const bar = this.card.querySelector("progress");
    if (bar) {
      bar.max = rush.quota;
      bar.value = rush.taken;
    }
    if (!state && !this.busy) location.assign(this.page);
    // Back to the countdown only by `ask`: this may have been said before the opening and heard after it.
    if (state && state !== "wait" && state !== this.state) {
      if (this.state !== "wait" && !this.busy) this.say("info", "", "");
      this.state = state;
      this.show();
    }
  }

  async ask() {
    const headers = this.busy ? { "idempotency-key": this.key.value } : {};
    try {
      const answer = await fetch(`${API}/offers/${this.id}/rush`, { headers });
      const rush = answer.ok ? await answer.json() : null;
      if (!rush) return null;
      heard(rush.now_ms, performance.now());
      this.clock.dataset.until = rush.opens_ms;
      if (rush.standing === "not_open" && this.state !== "wait") {
        // The server's clock was set back, or the opening was moved.
        ahead = rush.now_ms - performance.now();
        this.state = "wait";
        this.show();
      }
      if (this.state === "wait") this.recount();
      this.figures(rush);
      return rush;
    } catch (fault) {
      return null;
    }
  }

  say(kind, strong, words) {
    const { told } = this;
    told.hidden = !strong;
    told.className = `notice ${kind}`;
    told.querySelector("strong").textContent = strong;
    told.querySelector("p").textContent = words;
  }

  // While it waits, how it stands: from the server's figures, or nothing.
  async tell(words) {
    const rush = await this.ask();
    if (!this.busy) return;
    const { waits, next } = this.told.dataset;
    const stands = rush ? (rush.ahead > 0 ? waits : next).replace("{ahead}", rush.ahead).replace("{left}", Math.max(0, rush.left)) : "";
    this.say("info", stands || this.told.dataset.sending, words);
  }

  // A tap counts when the offer is open. (form.js takes a second tap for the first.)
  tap() {
    if (this.state === "book" || this.state === "line") this.go();
    else delete this.form.dataset.sent;
  }

  async go() {
    if (this.busy) return;
    this.busy = true;
    this.lost = false;
    this.keep("tap");
    for (const field of this.names) field.readOnly = true;
    if (this.button) {
      this.button.textContent = this.button.dataset.busy;
      this.button.setAttribute("aria-busy", "true");
    }
    const slow = setInterval(() => this.tell(this.told.dataset.calm), 2000);
    const refused = await this.send();
    clearInterval(slow);
    if (refused) this.refused(refused);
  }

  // Asks until there is an answer. Gives a refusal; a booking leads to its page.
  async send() {
    const guests = this.names.map((field) => field.value).filter((name) => name.trim());
    for (let tries = 1; ; tries += 1) {
      const answer = await post(`${API}/bookings`, this.key.value, { offer: this.id, guests });
      if (answer.status === 201) {
        kept.forget(this.id);
        location.assign(`/bookings/${answer.body.id}`);
        return null;
      }
      if (answer.status === 401) {
        location.assign(`/login?next=${encodeURIComponent(this.page)}`);
        return null;
      }
      if (answer.status >= 400 && answer.status < 500 && answer.status !== 429 && answer.status !== 408) return answer.body;
      // Each waits a little differently, so that not all come back at once.
      const seconds = (answer.after || Math.min(15, 2 ** tries)) * (1 + Math.random() / 2);
      await this.tell(this.told.dataset.again.replace("{s}", Math.ceil(seconds)).replace("{n}", tries));
      await wait(seconds * 1000);
    }
  }

  refused(problem) {
    this.busy = false;
    delete this.form.dataset.sent;
    for (const field of this.names) field.readOnly = false;
    if (this.button) this.button.removeAttribute("aria-busy");
    // A refusal wrote nothing: the next tap may be another request under the same key.
    this.keep("wish");
    if (problem.code === "key_reused") kept.forget(this.id);
    this.lost = true;
    this.say("warn", this.told.dataset.refused, problem.title || "");
    this.show();
    this.ask();
  }
}

// One request; an answer that never comes is one that may be asked for again.
const post = async (url, key, body) => {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), 20000);
  try {
    const answer = await fetch(url, {
      method: "POST", credentials: "same-origin", signal: stop.signal, body: JSON.stringify(body),
      headers: { "content-type": "application/json", "idempotency-key": key },
    });
    return { status: answer.status, after: Number(answer.headers.get("retry-after")), body: await answer.json() };
  } catch (fault) {
    return { status: 0, after: 0, body: {} };
  } finally {
    clearTimeout(timer);
  }
};

// ---------------------------------------------------------------- the page

const clock = document.querySelector("[data-now]");
if (clock) heard(Number(clock.dataset.now), arrived);
const offers = Array.from(document.querySelectorAll("[data-rush]"), (card) => new Offer(card));

// Countdowns without a form of ours: the page is loaded again, spread over a second, so that a thousand phones do not
// come back in the same millisecond.
for (const shown of document.querySelectorAll("output.countdown")) {
  if (!shown.closest("[data-rush]")) countdown(shown, () => setTimeout(() => location.reload(), Math.random() * 1000));
}

// A phone that slept has lost time: ask for the server's.
const again = () => document.visibilityState === "visible" && offers.forEach((offer) => offer.ask());
document.addEventListener("visibilitychange", again);
addEventListener("pageshow", (event) => event.persisted && again());

// The figures as they change. When too many listen, or the way there does not let streams through, now and then.
const source = offers.length && document.querySelector("[data-rush-stream]");
if (source && "EventSource" in window) {
  const stream = new EventSource(source.dataset.rushStream);
  stream.addEventListener("rush", (event) => {
    for (const rush of JSON.parse(event.data)) {
      for (const offer of offers) if (offer.id === rush.offer) offer.figures(rush);
    }
  });
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) setInterval(again, 15000 + Math.random() * 15000);
  });
} else if (source) {
  setInterval(again, 15000 + Math.random() * 15000);
}
