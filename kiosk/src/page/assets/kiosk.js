// The kiosk's screen: shows what the kiosk program says, and hands it what scanners type. Decides nothing.

import { onTyped } from "/assets/wedge.js";

const SAY = {
  zh: {
    starting: "正在准备", starting_step: "正在取得本场活动的资料，请稍候。",
    ready: "请出示二维码或刷京卡", ready_code: "请出示二维码",
    purpose: { exit: "离场", counter: "兑换", desk: "咨询登记", booth: "展位登记", checkpoint: "打卡" },
    locked: "已停用", locked_step: "本机已被主办方停用，请走旁边的通道。",
    out_of_order: "暂停使用", out_of_order_step: "请走旁边的通道。工作人员：请检查本机磁盘空间。",
    lost: "检票程序没有运行", lost_step: "请走旁边的通道。工作人员：请重新启动 turnout-kiosk，本页会自己恢复。",
    offline: "网络已断开，照常检票，记录稍后自动上传", clock: "本机时间与服务器相差超过两分钟，请校准",
    unsure: "开机后还没有核对时间，照常检票；连上网络会自己校正", forked: "本机记录与服务器不一致，请联系管理员", refused: "服务器不接受本机的记录，请联系管理员",
    no_cards: "暂不能刷卡", since: (time) => `（${time} 起）`, waiting: (n) => `待上传 ${n} 条`, synced: "已全部上传",
    muted: "声音已关", again: "再试一次", other: "English", staff: "工作人员", practice: "演练，不留记录",
    consent: "愿意让对方联系您吗？", yes: "同意", no: "不同意", glance: "工作人员：看证件放行", left: (n, of) => of > 1 ? `还可用 ${n} 次` : "",
  },
  en: {
    starting: "Getting ready", starting_step: "Fetching this event. One moment, please.",
    ready: "Show your QR code or swipe your union card", ready_code: "Show your QR code",
    purpose: { exit: "Exit", counter: "Redeem here", desk: "Advice desk", booth: "Sign in at this stand", checkpoint: "Checkpoint" },
    locked: "Locked", locked_step: "The organizer has locked this kiosk. Please use the next lane.",
    out_of_order: "Out of order", out_of_order_step: "Please use the next lane. Staff: check the disk space.",
    lost: "The kiosk program is not running", lost_step: "Please use the next lane. Staff: start turnout-kiosk again; this page comes back by itself.",
    offline: "No network. Admission goes on; records are uploaded later", clock: "This clock is more than two minutes off. Please set it",
    unsure: "The time is not confirmed since the start. Admission goes on; a network puts it right", forked: "This kiosk's records differ from the server's. Please call the administrator", refused: "The server refuses this kiosk's records. Please call the administrator",
    no_cards: "No cards for now", since: (time) => ` (since ${time})`, waiting: (n) => `${n} to upload`, synced: "all uploaded",
    muted: "Sound is off", again: "Try again", other: "中文", staff: "Staff", practice: "Practice: nothing is recorded",
    consent: "May they contact you?", yes: "Yes", no: "No", glance: "Staff: look at the ID", left: (n, of) => of > 1 ? `${n} left` : "",
  },
};
const VISITOR_LANGUAGE_MS = 60_000; // Then the next visitor finds Chinese again.
const GLANCE_MS = 120_000; // So long the desk opens with whose ID was to be looked at.
const LOST_MS = 1_500; // A short restart of the program need not show.

const at = (id) => document.getElementById(id);
const body = document.body;
let lang = "zh";
let status = null;
let devices = [];
let verdict = null;
let lost = false;
let clockOffset = 0;
let set = null;
let glance = null;
let backToReady = 0, backToChinese = 0, lostTimer = 0, overdue = false;

// What this page kept while it had a menu for it holds until staff set it on the operating page.
const kept = (name) => { try { return localStorage.getItem(name); } catch { return null; } };

/** What staff set for this machine. Nothing on this page changes it: a visitor may not put a door out of action. */
export function settings() {
  return set ?? { camera: kept("camera") === "on", device: kept("camera-device"), sound: kept("sound") !== "off", voice: kept("voice") === "on" };
}

// ---------------------------------------------------------------- what is shown

function say(id, text) {
  const element = at(id);
  if (element.textContent !== text) element.textContent = text;
}

function render() {
  const words = SAY[lang];
  const other = lang === "zh" ? "en" : "zh";
  document.documentElement.lang = lang === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-say]")) element.textContent = words[element.dataset.say];
  for (const element of document.querySelectorAll("[data-beside]")) element.textContent = SAY[other][element.dataset.beside];

  const phase = lost ? "lost" : status?.phase ?? "starting";
  const state = verdict && phase !== "lost" && phase !== "locked" ? "verdict" : phase;
  body.dataset.state = state;
  if (state === "verdict") body.dataset.look = verdict.look;
  else delete body.dataset.look;
  if (verdict) renderVerdict(other);

  body.toggleAttribute("data-practice", state === "verdict" && Boolean(verdict.practice));
  body.toggleAttribute("data-asks", state === "verdict" && Boolean(verdict.asks_consent || verdict.choices.length || glances(verdict)));

  const place = status?.place;
  // Nobody is asked for a card that cannot be read now.
  const cards = !status || status.cards;
  body.dataset.cards = cards ? "some" : "none";
  say("purpose", words.purpose[place?.kind] ?? "");
  // Before it opens and after it has closed, what everybody would be told comes first.
  const hours = status?.hours;
  body.toggleAttribute("data-idle", Boolean(hours));
  const prompt = (lang) => hours?.[lang].headline ?? SAY[lang][cards ? "ready" : "ready_code"];
  say("prompt", prompt(lang));
  say("prompt-beside", prompt(other));
  say("hours", hours?.[lang].next ?? "");
  say("hours-beside", hours?.[other].next ?? "");
  say("event", place?.event ?? "");
  say("station", place ? (place.kiosk && place.kiosk !== place.station ? `${place.station} · ${place.kiosk}` : place.station) : "");
  renderState(words);
  renderClock();
  dispatchEvent(new Event("rendered"));
}

function renderVerdict(other) {
  const main = verdict[lang], beside = verdict[other];
  const length = main.headline.length * (lang === "zh" ? 2 : 1);
  body.dataset.length = length > 15 ? "longest" : length > 8 ? "long" : "short";
  // However long the next step is, it stays on the screen.
  body.dataset.words = main.next.length * (lang === "zh" ? 2 : 1) > 100 ? "many" : "few";
  say("headline", main.headline);
  say("headline-beside", beside.headline);
  say("holder", verdict.look === "closed" ? "" : verdict.holder ?? "");
  say("offer", verdict.look === "admitted" ? verdict.offer ?? "" : "");
  say("place", verdict.look === "admitted" ? verdict.place ?? "" : "");
  say("terms", verdict.consent_to?.[lang] ?? "");
  renderChoices();
  say("step", verdict.asks_consent ? SAY[lang].consent : main.next);
  say("step-beside", verdict.asks_consent ? SAY[other].consent : beside.next);
}

/** Whether staff are asked to look at an ID, at the desk. */
const glances = (view) => view.look === "attention" && Boolean(view.glance);

/** The desk, which opens with whoever was to be looked at a moment ago. */
const desk = () => glance && Date.now() < glance.until ? `/desk#${glance.ticket}` : "/desk";

// What the holder may tap: one of several tickets, or whether the stand may have their name.
function renderChoices() {
  const words = SAY[lang];
  const asked = verdict.asks_consent ? [[words.yes, "", "/consent", { yes: true }], [words.no, "", "/consent", { yes: false }]]
    : glances(verdict) ? [[words.glance, ""]]
    : verdict.choices.map((choice) => [choice.offer, words.left(choice.left, choice.of), "/choice", { ticket: choice.ticket }]);
  at("choices").hidden = !asked.length;
  // What has not changed stays where it is, under the finger that is about to tap it.
  const told = JSON.stringify([verdict.scan, verdict.at_ms, asked]);
  if (told === at("choices").told) return;
  at("choices").told = told;
  at("choices").replaceChildren(...asked.map(([name, more, path, body]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    if (more) button.append(Object.assign(document.createElement("small"), { textContent: more }));
    button.addEventListener("click", () => path ? tap(path, body) : location.assign(desk()));
    return button;
  }));
}

async function tap(path, body) {
  const view = await ask(path, JSON.stringify(body), "application/json");
  if (view) return show(view);
  verdict = null; // What was tapped is no longer on offer.
  render();
}

/** What the program has to show; null for nothing. That it is gone, the stream tells. */
async function ask(path, body, kind) {
  const response = await fetch(path, { method: "POST", body, headers: { "content-type": kind } }).catch(() => null);
  return response?.status === 200 ? await response.json() : null;
}

function renderState(words) {
  body.toggleAttribute("data-online", Boolean(status?.online) && !lost);
  const trust = verdict && !lost ? verdict.trust : status?.trust;
  say("trust", trust && !lost ? trust[lang] : "");
  say("queue", !status || lost ? "" : status.waiting ? words.waiting(status.waiting) : words.synced);
  at("cards").hidden = !status || lost || status.phase !== "ready" || status.cards;
  const trouble = { forked: words.forked, refused: words.refused, clock_off: words.clock }[status?.trouble];
  const offline = status?.phase === "ready" && !status.online ? words.offline : null;
  const unsure = status?.phase === "ready" && status.clock_unsure ? words.unsure : null;
  const strips = lost ? [] : verdict?.practice ? [words.practice] : [trouble ?? offline, unsure, ...devices.map(tellDevice)].filter(Boolean);
  at("strip").hidden = !strips.length;
  say("strip-words", strips.join("\n"));
  at("language").textContent = words.other;
  at("muted").hidden = settings().sound;
}

function renderClock() {
  // Without a place nobody has said which zone's time it is: this machine's own may be any.
  say("clock", !status?.place || lost ? "" : clock(Date.now() + clockOffset));
}

function clock(ms) {
  const timeZone = status?.place?.time_zone;
  return new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone }).format(new Date(ms));
}

function tellDevice({ says, since_ms }) {
  return says ? `${says[lang]}${SAY[lang].since(clock(since_ms))}` : null;
}

export function show(view) {
  // The same verdict comes by the scan's answer and by the stream; what was not read has no scan.
  if (verdict && verdict.scan === view.scan && verdict.at_ms === view.at_ms) return hold(view);
  close();
  verdict = view;
  if (view.glance && !view.practice) glance = { ticket: view.glance, until: Date.now() + GLANCE_MS };
  hold(view);
  render();
  body.classList.remove("fresh");
  void body.offsetWidth; // So that the animation begins anew.
  body.classList.add("fresh");
  sound(view.look);
  speak(view);
}

export function hold(view) {
  clearTimeout(backToReady);
  backToReady = setTimeout(() => { close(); render(); }, view.stays_ms);
}

/** What was shown is over. */
function close() {
  verdict = null;
  if (overdue) forTheNext();
}

// ---------------------------------------------------------------- what the program says

function listen() {
  const stream = new EventSource("/live");
  stream.addEventListener("status", (event) => {
    status = JSON.parse(event.data);
    clockOffset = status.now_ms - Date.now();
    found();
    render();
  });
  stream.addEventListener("settings", (event) => {
    set = JSON.parse(event.data);
    render();
    dispatchEvent(new Event("set"));
  });
  stream.addEventListener("devices", (event) => { devices = JSON.parse(event.data); render(); });
  stream.addEventListener("verdict", (event) => show(JSON.parse(event.data)));
  stream.addEventListener("open", found);
  stream.addEventListener("error", () => {
    lostTimer ||= setTimeout(() => { lost = true; verdict = null; render(); }, LOST_MS);
    // The browser tries again by itself, unless the answer was no stream at all.
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, LOST_MS);
  });
}

function found() {
  clearTimeout(lostTimer);
  lostTimer = 0;
  if (lost) { lost = false; render(); }
}

async function send(text) {
  const view = await ask("/scan", text, "text/plain;charset=utf-8");
  if (view) show(view);
}

for (const touch of ["keydown", "click"]) addEventListener(touch, wakeSound, true);
onTyped(send);

// ---------------------------------------------------------------- sounds

const TONES = {
  admitted: { type: "sine", notes: [[660, 0, .1], [880, .09, .1], [1320, .18, .22]] },
  refused: { type: "triangle", notes: [[196, 0, .2], [165, .26, .3]] },
  attention: { type: "sine", notes: [[523, 0, .4]] },
  closed: { type: "triangle", notes: [[165, 0, .5]] },
};
let audio = null;

// In kiosk mode the browser lets pages sound at once; elsewhere the first touch or typed scan wakes the sound.
function wakeSound() {
  // A machine without a loudspeaker, or without this, shows all the same.
  try { audio ??= new AudioContext(); } catch { return; }
  if (audio.state === "suspended") audio.resume().catch(() => {});
}

function sound(look) {
  wakeSound();
  if (!settings().sound || audio?.state !== "running") return;
  const { type, notes } = TONES[look];
  for (const [pitch, start, length] of notes) {
    const tone = audio.createOscillator(), volume = audio.createGain();
    const begin = audio.currentTime + start;
    tone.type = type;
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0, begin);
    volume.gain.linearRampToValueAtTime(.5, begin + .015);
    volume.gain.exponentialRampToValueAtTime(.001, begin + length);
    tone.connect(volume).connect(audio.destination);
    tone.start(begin);
    tone.stop(begin + length);
  }
}

/** Says the verdict and the next step aloud, where staff want that. The next verdict cuts it short. */
function speak(view) {
  if (!settings().voice || !("speechSynthesis" in window)) return;
  const { headline, next } = view[lang];
  const step = view.asks_consent ? SAY[lang].consent : next;
  const said = new SpeechSynthesisUtterance([headline, step].filter(Boolean).join(lang === "zh" ? "。" : ". "));
  said.lang = lang === "zh" ? "zh-CN" : "en";
  speechSynthesis.cancel();
  speechSynthesis.speak(said);
}

// ---------------------------------------------------------------- the buttons

at("language").addEventListener("click", () => {
  lang = lang === "zh" ? "en" : "zh";
  clearTimeout(backToChinese);
  overdue = false;
  if (lang !== "zh") backToChinese = setTimeout(() => { forTheNext(); render(); }, VISITOR_LANGUAGE_MS);
  // Or the next Enter that a scanner types would press it again.
  at("language").blur();
  render();
});

/** The next visitor finds Chinese again. Whoever reads a verdict reads it to its end. */
function forTheNext() {
  if (verdict) return void (overdue = true);
  overdue = false;
  lang = "zh";
}

// Nothing of the browser's own for who presses long or right.
addEventListener("contextmenu", (event) => event.preventDefault());

at("staff").addEventListener("click", () => { at("staff").href = desk(); });

// The screen stays on, also where the desktop would blank it: who scans touches neither key nor mouse.
const stayAwake = () => navigator.wakeLock?.request("screen").catch(() => { /* Then the desktop's settings count. */ });
document.addEventListener("visibilitychange", () => { if (!document.hidden) stayAwake(); });
stayAwake();

setInterval(renderClock, 5_000);
render();
listen();
