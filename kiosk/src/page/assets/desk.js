// The operating page: opens by PIN, finds people, and hands the kiosk program what staff tap. Decides nothing.
//
// The queue goes on meanwhile: what a scanner types here is a scan as everywhere, and what a scan led to is told.

import { onTypedBeside } from "/assets/wedge.js";

const SAY = {
  zh: {
    back: "返回检票", desk: "操作台", close: "锁上", open: "打开", who: "您的称呼", erase: "删除",
    set_pin: "第一次使用：请设一个 6 到 12 位的操作密码", code: "登记码", wrong_code: "登记码不对：请输入登记本机时用的那个。",
    reprint: "重印上一张", reprinted: "已送去打印", nothing_to_print: "没有可重印的，或已过两分钟", pin: "请输入操作密码",
    wrong: "密码不对。", wait: (s) => `请 ${s} 秒后再试。`, no_pin: "密码是 6 到 12 位数字。", failed: "现在打不开，请稍后再试。",
    ok: "确定", left: (n) => `还可用 ${n} 次`, too_late: "已经过时，请再刷一次卡。", search: "姓名、拼音、首字母、手机或卡尾号、单位", never_mind: "不了",
    hint: (n) => `可查 ${n} 张票。输一个字、拼音或首字母（wxm），或手机、京卡后四位，或单位。`,
    loading: "正在取名单，请稍候。没有网络时，用上次取到的。",
    glance: "请对照证件：姓名一致，点「签到」放行。", gone: "已经过时，请再扫一次。",
    unnamed: "本机名单里还没有", unnamed_hint: "票是真的，只是名单还没到本机。请对照票面上的姓名和证件，一致再点「签到」。", ticket: "这张票",
    none: "没有找到。换一个字，或试试手机后四位。", many: (m, n) => `找到 ${n} 张，先列出 ${m} 张，再多输一点。`,
    check_in: "签到", override: "特别放行", undo: "撤销", can: "可以放行", phone: "手机尾号", card: "京卡尾号", with: (b) => `与${b}同行`,
    over_title: "特别放行，为什么？", undo_title: "撤销刚才的放行，为什么？",
    overs: ["已核对证件", "负责人同意", "系统有误"], undos: ["扫错了人", "没有进场", "重复操作"],
    scanned: (who, what) => `扫码：${who ? `${who}，` : ""}${what}`, in: (n) => `${n}：已放行`, refused: (n) => `${n}：没有放行`, undone: (n) => `${n}：已撤销`, lost: "检票程序没有回答，请再试一次。",
    machine: "本机设置", camera_on: "摄像头：开", camera_off: "摄像头：关", sound_on: "声音：开", sound_off: "声音：关", voice_on: "朗读：开", voice_off: "朗读：关", device: "用哪个摄像头", any_camera: "自动选择",
    change_desk: "换操作密码", set_supervisor: "设主管密码", change_supervisor: "换主管密码",
    pins_hint: "设了主管密码以后，「特别放行」和换密码都要输它；平时签到、撤销只用操作密码。",
    supervisor_pin: "主管密码", this_pin: "现在的操作密码", new_pin: "新密码，6 到 12 位数字", again: "再输一次新密码", changed: "密码已换好", not_twice: "两次不一样，没有换。",
    weak_pin: "这个密码太容易猜到，请换一个。", same_pin: "操作密码和主管密码不能相同。",
    camera_help: {
      NotAllowedError: "浏览器不让用摄像头：点地址栏左侧的图标，允许摄像头。全屏没有地址栏时，请负责人重新启动浏览器（启动参数见安装说明）。扫码枪和刷卡照常。",
      NotFoundError: "没有找到摄像头：拔下再插好，这里会自己更新。不用摄像头就关掉它。",
      NotReadableError: "别的程序正在用摄像头：关闭它，再关开一次。",
      fault: "摄像头打不开：拔下再插好，再关开一次。",
    },
    ready: "开场前检查", drill: "演练", drill_hint: "看看每种情况在检票屏幕上是什么样子，不留任何记录。",
    reasons: { admitted: "请进", unknown: "无法识别", forged: "票码无效", revoked: "票已换新", cancelled: "已取消", unpaid: "尚未缴费", unapproved: "尚未审核", wrong_event: "不是本场", wrong_station: "不在此处", too_early: "还没开始", too_late: "已经结束", not_today: "今天不可用", already_used: "已使用", stale_code: "截图无效", show_id: "请看证件", unknown_card: "无此卡", blocked_card: "卡已挂失", not_booked: "没有报名", full: "人数已满", out_of_stock: "这里领完了", ambiguous: "不止一张票" },
  },
  en: {
    back: "Back to scanning", desk: "Desk", close: "Lock", open: "Open", who: "Your name", erase: "Erase",
    set_pin: "First use: choose a PIN of 6 to 12 digits", code: "Enrolment code", wrong_code: "Not the code this kiosk was enrolled by. ",
    reprint: "Print the last slip again", reprinted: "Printing", nothing_to_print: "Nothing to print, or two minutes have passed", pin: "PIN",
    wrong: "Wrong PIN. ", wait: (s) => `Please wait ${s} s.`, no_pin: "A PIN has 6 to 12 digits.", failed: "It does not open now. Please try again later.",
    ok: "OK", left: (n) => `${n} left`, too_late: "Too late. Please swipe the card again.", search: "Name, pinyin, initials, last four of phone or card, firm", never_mind: "Never mind",
    hint: (n) => `${n} tickets. Type a character, pinyin or initials (wxm), the last four of a phone or card, or a firm.`,
    loading: "Fetching the list, one moment. Without a network the last one is used.",
    glance: "Compare the ID: if the name is the same, check in.", gone: "Too late. Please scan it again.",
    unnamed: "Not on this kiosk's list yet", unnamed_hint: "The ticket is real; the list has yet to reach this kiosk. Compare the name on it with the ID, then check in.", ticket: "That ticket",
    none: "Nobody found. Try another character, or the last four of the phone.", many: (m, n) => `${n} found, ${m} shown. Type a little more.`,
    check_in: "Check in", override: "Let in anyway", undo: "Undo", can: "May pass", phone: "phone", card: "card", with: (b) => `with ${b}`,
    over_title: "Let in anyway: why?", undo_title: "Take it back: why?",
    overs: ["Saw the ID", "Person in charge agreed", "System is wrong"], undos: ["Wrong person", "Did not go in", "Done twice"],
    scanned: (who, what) => `Scan: ${who ? `${who}, ` : ""}${what}`, in: (n) => `${n}: let in`, refused: (n) => `${n}: not let in`, undone: (n) => `${n}: taken back`, lost: "The kiosk program does not answer. Please try again.",
    machine: "This machine", camera_on: "Camera on", camera_off: "Camera off", sound_on: "Sound on", sound_off: "Sound off", voice_on: "Voice on", voice_off: "Voice off", device: "Which camera", any_camera: "Whichever fits",
    change_desk: "Change the desk's PIN", set_supervisor: "Set a supervisor's PIN", change_supervisor: "Change the supervisor's PIN",
    pins_hint: "Once there is a supervisor's PIN, letting in anyway and changing PINs ask for it; checking in and undoing need the desk's alone.",
    supervisor_pin: "Supervisor's PIN", this_pin: "The desk's PIN now", new_pin: "New PIN, 6 to 12 digits", again: "The new PIN again", changed: "The PIN is changed", not_twice: "Not the same twice; nothing was changed.",
    weak_pin: "That PIN is easily guessed. Please choose another.", same_pin: "The desk's PIN and the supervisor's must differ.",
    camera_help: {
      NotAllowedError: "The browser may not use the camera: allow it by the icon left of the address. Where there is no address bar, ask the person in charge to start the browser again (its options stand in the set-up guide). Scanners and cards work as ever.",
      NotFoundError: "No camera was found: plug it in again, and this changes by itself. Without a camera, switch it off.",
      NotReadableError: "Another program uses the camera: close that, then switch the camera off and on.",
      fault: "The camera does not start: plug it in again, then switch it off and on.",
    },
    ready: "Ready?", drill: "Drill", drill_hint: "See on the scanning screen what each case looks like. Nothing is recorded.",
    reasons: { admitted: "Welcome", unknown: "Not recognised", forged: "Not a valid ticket", revoked: "Replaced ticket", cancelled: "Cancelled", unpaid: "Not paid yet", unapproved: "Not approved yet", wrong_event: "Another event", wrong_station: "Another station", too_early: "Too early", too_late: "Too late", not_today: "Not today", already_used: "Already used", stale_code: "Screenshot", show_id: "Check ID", unknown_card: "Unknown card", blocked_card: "Blocked card", not_booked: "Not booked", full: "Full", out_of_stock: "None left here", ambiguous: "Several tickets" },
  },
};

const at = (id) => document.getElementById(id);
const lang = new URLSearchParams(location.search).get("lang") === "en" ? "en" : "zh";
const words = SAY[lang];
const SHUT_WITHIN_MS = 10_000; // The program shuts the desk by its own clock; so long its names may stand here then.
const BACK_AFTER_MS = 60_000; // A desk that is shut, and that nobody touches, gives the screen back to the queue.
// Scans that were ordered here are told by what was tapped.
const ordered = new Set();
// Whose ID is to be looked at.
let glance = location.hash.slice(1);
let pin = "", asked = 0, waiting = 0, saidTimer = 0;
let idle = 0, known = 0;
let supervised = false; // Whether a supervisor has a PIN of their own.

document.documentElement.lang = lang === "zh" ? "zh-CN" : "en";
const translate = (root) => {
  for (const element of root.querySelectorAll("[data-say]")) element.textContent = words[element.dataset.say];
  for (const element of root.querySelectorAll("[data-label]")) element.setAttribute("aria-label", words[element.dataset.label]);
};
translate(document);
translate(at("row").content);
at("search").placeholder = words.search;

async function call(path, body) {
  try {
    const response = await fetch(path, { method: body ? "POST" : "GET", headers: body ? { "content-type": "application/json" } : {}, body: body && JSON.stringify(body) });
    const text = await response.text();
    return { status: response.status, data: text ? JSON.parse(text) : null };
  } catch {
    say(words.lost, false);
    return { status: 0, data: null };
  }
}

function say(text, well) {
  const said = at("said");
  unsay();
  said.textContent = text;
  said.classList.toggle("no", !well);
  // Above a question that is open, too.
  said.showPopover();
  saidTimer = setTimeout(unsay, 5_000);
}

function unsay() {
  clearTimeout(saidTimer);
  if (at("said").matches(":popover-open")) at("said").hidePopover();
}

// ---------------------------------------------------------------- open and closed

async function look() {
  const { data } = await call("/desk/state");
  if (!data) return;
  const begins = data.open && document.body.dataset.state !== "open";
  document.body.dataset.state = data.open ? "open" : "closed";
  at("pin-page").hidden = data.open;
  at("list-page").hidden = !data.open;
  at("operator").textContent = data.operator ?? "";
  at("pin-title").textContent = data.has_pin ? words.pin : words.set_pin;
  at("code-label").hidden = !data.wants_code;
  at("reprint").hidden = !data.prints;
  supervised = data.supervisor;
  at("change-supervisor").textContent = supervised ? words.change_supervisor : words.set_supervisor;
  if (data.open) {
    if (!at("search").value) at("hint").textContent = data.known ? words.hint(data.known) : words.loading;
    // Names that the program has wiped do not stay here.
    if (at("rows").children.length && !data.known && !glance) find();
    if (begins) at("search").focus();
    known = data.known;
    if (glance) lookAt(glance);
    clearTimeout(look.timer);
    if (!known) look.timer = setTimeout(look, 1_000);
  } else {
    show("");
    forget();
  }
}

/** Nobody is named on a desk that is locked. */
function forget() {
  for (const dialog of ["why", "asks"]) if (at(dialog).open) at(dialog).close("");
  at("machine").open = false;
  at("rows").told = null;
  for (const id of ["rows", "said", "why-what", "why-title", "whys"]) at(id).replaceChildren();
  unsay();
  at("search").value = "";
  document.body.removeAttribute("data-searching");
}

function show(digits) {
  pin = digits.slice(0, 12);
  at("dots").textContent = "●".repeat(pin.length);
}

function press(key) {
  if (waiting) return;
  at("pin-fault").textContent = "";
  show(key === "back" ? pin.slice(0, -1) : pin + key);
}

at("pin-form").addEventListener("click", (event) => {
  const key = event.target.closest("[data-key]")?.dataset.key;
  if (key) press(key);
});

addEventListener("keydown", (event) => {
  if (document.body.dataset.state !== "closed" || event.target === at("who") || event.target === at("code")) return;
  if (/^\d$/.test(event.key)) press(event.key);
  if (event.key === "Backspace") press("back");
  if (event.key === "Enter" && pin && event.target === document.body) at("pin-form").requestSubmit();
});

// A stray Enter of a scanner presses nothing: what was tapped or clicked does not keep the focus.
addEventListener("click", (event) => { if (event.detail) event.target.closest?.("button, summary, a")?.blur(); });

at("pin-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (waiting) return;
  const { status, data } = await call("/desk/opening", { pin, operator: at("who").value, code: at("code").value });
  show("");
  if (status === 204) return look();
  const fault = at("pin-fault");
  fault.textContent = why(status, data);
  const wait = Math.ceil((data?.wait_ms ?? 0) / 1000);
  if (wait > 0) waiting = setTimeout(() => { waiting = 0; fault.textContent = ""; }, wait * 1000);
});

/** Why a PIN was not taken, and how long to wait. */
function why(status, data) {
  const said = { wrong_pin: words.wrong, wrong_code: words.wrong_code, no_pin: words.no_pin, weak_pin: words.weak_pin, same_pin: words.same_pin, too_soon: "" }[data?.code];
  const wait = Math.ceil((data?.wait_ms ?? 0) / 1000);
  return (said ?? (status ? words.failed : words.lost)) + (wait > 0 ? words.wait(wait) : "");
}

/** Asks for a PIN by the keys on the screen; what was typed, or nothing when they would rather not. */
function askPin(title, fault = "") {
  const dialog = at("asks");
  let digits = "";
  const press = (key) => {
    if (key === "open") return dialog.close(digits);
    digits = key === "back" ? digits.slice(0, -1) : (digits + key).slice(0, 12);
    at("asks-dots").textContent = "●".repeat(digits.length);
    at("asks-fault").textContent = "";
  };
  at("asks-keys").replaceChildren(...["1", "2", "3", "4", "5", "6", "7", "8", "9", "back", "0", "open"].map((key) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: { back: "⌫", open: words.ok }[key] ?? key });
    button.dataset.digit = key;
    if (key === "open") button.className = "go";
    button.addEventListener("click", () => press(key));
    return button;
  }));
  at("asks-title").textContent = title;
  at("asks-dots").textContent = "";
  at("asks-fault").textContent = fault;
  const key = (event) => {
    if (/^\d$/.test(event.key)) press(event.key);
    if (event.key === "Backspace") press("back");
    if (event.key === "Enter" && digits) { event.preventDefault(); press("open"); }
  };
  return new Promise((done) => {
    dialog.returnValue = "";
    dialog.addEventListener("keydown", key);
    dialog.addEventListener("close", () => {
      dialog.removeEventListener("keydown", key);
      at("asks-dots").textContent = "";
      const typed = dialog.returnValue;
      dialog.returnValue = "";
      done(typed);
    }, { once: true });
    dialog.showModal();
  });
}

at("close").addEventListener("click", async () => {
  await call("/desk/closing", {});
  look();
});

// A visitor who taps「工作人员」and walks away puts no door out of action: the camera is the other page's. (What a scanner
// types keeps nobody here. A program that is just being started again has no page to go back to.)
async function goBack() {
  const there = document.body.dataset.state === "closed" && await fetch("/", { method: "HEAD" }).then(({ ok }) => ok, () => false);
  if (there && document.body.dataset.state === "closed") location.replace("/");
  else stay();
}

function stay() {
  clearTimeout(idle);
  idle = setTimeout(goBack, BACK_AFTER_MS);
}

for (const touch of ["pointerdown", "input"]) addEventListener(touch, stay, true);
stay();

// ---------------------------------------------------------------- finding

async function find() {
  const text = at("search").value.trim();
  const turn = ++asked;
  document.body.toggleAttribute("data-searching", Boolean(text));
  if (!text) {
    at("rows").replaceChildren();
    return look();
  }
  const { status, data } = await call("/desk/search", { text });
  if (turn !== asked) return;
  if (status === 401) return look();
  if (!data) return;
  fill(data.rows);
  at("hint").textContent = !data.rows.length ? words.none : data.found > data.rows.length ? words.many(data.rows.length, data.found) : "";
}

/** Shows the holder of a ticket that asks for an ID; again while there is no list yet, which names them in full. */
async function lookAt(ticket) {
  glance = known ? "" : ticket;
  const turn = ++asked;
  const { status, data } = await call("/desk/search", { ticket });
  if (turn !== asked || at("search").value || !data) return;
  if (status === 401) return look();
  document.body.toggleAttribute("data-searching", true);
  fill(data.rows);
  at("hint").textContent = !data.rows.length ? words.gone : data.rows[0].name ? words.glance : words.unnamed_hint;
}

/** What has not changed stays where it is, under the thumb that is about to tap it. */
function fill(rows) {
  const told = JSON.stringify(rows);
  if (told !== at("rows").told || !at("rows").children.length) at("rows").replaceChildren(...rows.map(row));
  at("rows").told = told;
}

function row(person) {
  const item = at("row").content.cloneNode(true).firstElementChild;
  item.dataset.verdict = person.verdict;
  item.dataset.ticket = person.ticket;
  item.querySelector("strong").textContent = person.name || words.unnamed;
  const facts = [person.booker && words.with(person.booker), person.organisation, person.offer, person.phone4 && `${words.phone} ${person.phone4}`, person.cards4?.length && `${words.card} ${person.cards4.join("、")}`];
  item.querySelector(".more").textContent = facts.filter(Boolean).join(" · ");
  item.querySelector(".state").textContent = person[lang] || words.can;
  const may = person.verdict === "admitted";
  item.querySelector(".in").hidden = !may;
  item.querySelector(".over").hidden = may;
  item.querySelector(".undo").hidden = !person.undoable;
  item.querySelector(".in").addEventListener("click", () => tap("/desk/admission", person, "", words.in));
  item.querySelector(".over").addEventListener("click", () => ask(person, words.over_title, words.overs, (why) => overrule(person, why)));
  item.querySelector(".undo").addEventListener("click", () => ask(person, words.undo_title, words.undos, (why) => tap("/desk/undo", person, why, words.undone)));
  return item;
}

/** A supervisor lets the person pass; where they have a PIN of their own, they type it. */
async function overrule(person, why, fault) {
  const pin = supervised ? await askPin(words.supervisor_pin, fault) : "";
  if (!supervised || pin) await tap("/desk/override", person, why, words.in, pin);
}

async function tap(path, person, reason, done, pin) {
  glance = "";
  const name = person.name || words.ticket;
  const { status, data } = await call(path, { ticket: person.ticket, why: reason, pin });
  if (status === 401) return look();
  if (status === 403) return overrule(person, reason, why(status, data));
  if (status === 409) say(data[lang], false);
  else if (status === 200) {
    const well = data.look === "admitted" || path === "/desk/undo";
    ordered.add(data.scan);
    say(well ? done(name) : `${words.refused(name)}。${data[lang].next}`, well);
  }
  find();
}

function ask(person, title, reasons, then) {
  choose(title, [person.name, person[lang]].filter(Boolean).join("："), reasons.map((reason) => [reason, reason]), then);
}

/** Asks which of several, each with its value and its name. */
function choose(title, what, among, then) {
  at("why-title").textContent = title;
  at("why-what").textContent = what;
  at("whys").replaceChildren(...among.map(([value, textContent]) => Object.assign(document.createElement("button"), { value, textContent })));
  const dialog = at("why");
  dialog.returnValue = "";
  // That it closed is told a little later: what is told of the question before, while this one is open, is no answer to this one.
  dialog.onclose = () => {
    if (dialog.open) return;
    dialog.onclose = null;
    if (dialog.returnValue) then(dialog.returnValue);
  };
  dialog.showModal();
}

at("reprint").addEventListener("click", async () => {
  const { status } = await call("/desk/reprint", {});
  if (status === 401) return look();
  say(status === 202 ? words.reprinted : words.nothing_to_print, status === 202);
});

at("ready").addEventListener("toggle", async () => {
  if (!at("ready").open) return;
  const devices = await navigator.mediaDevices?.enumerateDevices().catch(() => null);
  const cameras = devices?.filter((device) => device.kind === "videoinput").length;
  const { data } = await call(`/desk/readiness${cameras === undefined ? "" : `?cameras=${cameras}`}`);
  at("findings").replaceChildren(...(data?.findings ?? []).map((finding) => Object.assign(document.createElement("li"), { className: finding.grade, textContent: finding[lang] })));
});

// ---------------------------------------------------------------- this machine

let settings = null, stream = null;

function renderMachine() {
  for (const name of ["camera", "sound", "voice"]) {
    at(name).textContent = words[`${name}_${settings?.[name] ? "on" : "off"}`];
    at(name).setAttribute("aria-pressed", String(Boolean(settings?.[name])));
  }
  at("voice").hidden = !("speechSynthesis" in window);
}

/** What the screen's own page kept before settings were the program's. */
function keptByThePage() {
  const kept = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  return { camera: kept("camera") === "on", device: kept("camera-device"), sound: kept("sound") !== "off", voice: kept("voice") === "on" };
}

async function set(change) {
  const { status } = await call("/desk/settings", { ...settings, ...change });
  if (status === 401) return look();
  if (status !== 204) say(words.lost, false);
}

for (const name of ["camera", "sound", "voice"]) at(name).addEventListener("click", () => settings && set({ [name]: !settings[name] }));
at("device").addEventListener("change", () => set({ device: at("device").value || null }));

/** What the camera sees, so that whoever set it knows that it works; or what to do. */
async function lookThrough() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  at("sight").hidden = at("device-label").hidden = true;
  at("camera-help").textContent = "";
  if (!at("machine").open || !settings?.camera || !navigator.mediaDevices) return;
  try {
    const device = settings.device ? { deviceId: { ideal: settings.device } } : true;
    const opened = await navigator.mediaDevices.getUserMedia({ audio: false, video: device });
    if (!at("machine").open || !settings.camera || stream) return opened.getTracks().forEach((track) => track.stop());
    stream = opened;
    at("video").srcObject = opened;
    at("sight").hidden = false;
    await at("video").play();
    const devices = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
    const choices = [["", words.any_camera], ...devices.map(({ deviceId, label }, at) => [deviceId, label || `${at + 1}`])];
    at("device").replaceChildren(...choices.map(([value, name]) => new Option(name, value, false, value === (settings.device ?? ""))));
    at("device-label").hidden = devices.length < 2;
  } catch (error) {
    at("camera-help").textContent = words.camera_help[error.name === "OverconstrainedError" ? "NotFoundError" : error.name] ?? words.camera_help.fault;
  }
}

at("machine").addEventListener("toggle", lookThrough);
navigator.mediaDevices?.addEventListener("devicechange", () => { if (!stream?.active) lookThrough(); });

/** Has a PIN changed: who may, which, and the new one twice. */
async function changePin(which, title) {
  const now = supervised ? words.supervisor_pin : words.this_pin;
  for (let fault = ""; ;) {
    const pin = await askPin(now, fault);
    const first = pin && await askPin(`${title}：${words.new_pin}`);
    const second = first && await askPin(words.again);
    if (!second) return;
    if (first !== second) return say(words.not_twice, false);
    const { status, data } = await call("/desk/pins", { pin, which, new: first });
    if (status === 401) return look();
    if (status === 204) { say(words.changed, true); return look(); }
    fault = why(status, data);
  }
}

at("change-desk").addEventListener("click", () => changePin("desk", words.change_desk));
at("change-supervisor").addEventListener("click", () => changePin("supervisor", at("change-supervisor").textContent));

at("reasons").replaceChildren(...Object.entries(words.reasons).map(([what, name]) => {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
  button.dataset.what = what;
  button.addEventListener("click", async () => {
    const { status } = await call("/desk/drill", { what });
    if (status === 401) look();
  });
  return button;
}));

// On a kiosk with one screen the drill is seen here. Closed again, the preview listens to nothing.
at("drill").addEventListener("toggle", () => {
  if (at("drill").open) at("preview").src = "/";
  else at("preview").removeAttribute("src");
});

at("search").addEventListener("input", () => { clearTimeout(find.timer); find.timer = setTimeout(find, 120); });
setInterval(() => { if (document.body.dataset.state === "open") look(); }, SHUT_WITHIN_MS);

// ---------------------------------------------------------------- the queue meanwhile

onTypedBeside((text) => {
  const scan = fetch("/scan", { method: "POST", body: text, headers: { "content-type": "text/plain;charset=utf-8" } });
  scan.catch(() => say(words.lost, false));
}, () => show(""));

const live = new EventSource("/live");
live.addEventListener("settings", (event) => {
  const before = JSON.stringify([settings?.camera, settings?.device]);
  settings = JSON.parse(event.data) ?? keptByThePage();
  renderMachine();
  if (JSON.stringify([settings.camera, settings.device]) !== before) lookThrough();
});
live.addEventListener("verdict", (event) => {
  const { scan, practice, look: sort, holder, choices, glance, [lang]: told } = JSON.parse(event.data);
  if (practice || ordered.has(scan)) return;
  if (glance && document.body.dataset.state === "open" && !at("search").value) lookAt(glance);
  // Whoever has several vouchers says which; with the desk open, staff tap it for them.
  if (choices.length && document.body.dataset.state === "open" && !document.querySelector("dialog[open]")) {
    const among = choices.map(({ ticket, offer, left, of }) => [ticket, of > 1 ? `${offer} · ${words.left(left)}` : offer]);
    return choose(told.headline, holder ?? "", among, async (ticket) => {
      const { status, data } = await call("/choice", { ticket });
      if (status === 200) say(words.scanned(data.holder, [data[lang].headline, data[lang].next].filter(Boolean).join(lang === "zh" ? "。" : ". ")), data.look === "admitted");
      else if (status) say(words.too_late, false);
    });
  }
  say(words.scanned(holder, [told.headline, told.next].filter(Boolean).join(lang === "zh" ? "。" : ". ")), sort === "admitted");
});

look();
