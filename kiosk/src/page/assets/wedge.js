// Scanners and swipe readers that are keyboards: from key events to what was scanned. The kiosk program sorts it.
//
// Such a scanner types a whole code within a moment, into whatever has the focus, and ends it with Enter, Tab or nothing.
// The key that was pressed counts, not the text that an input method makes of it.

const PAUSE_MS = 60; // After this long a complete text is taken.
const CODE_PAUSE_MS = 180; // A ticket code is complete, and may go on with the letters of one that moves.
const SLOW_PAUSE_MS = 500; // A wireless scanner may pause inside a text.
const FORGET_MS = 2_000; // What is short, and nobody ended, was no scan.
const SHORTEST = 12;
const LONGEST = 1_000; // Of what is longer than any code the beginning tells enough.
const PEOPLES_KEY_MS = 30; // Nobody's fingers are faster through a whole text.

// What a key types on an English keyboard, alone and with shift, when an input method or a dead key holds the text back.
const PLAIN = { Semicolon: ";:", Equal: "=+", Slash: "/?", Minus: "-_", Period: ".>", Comma: ",<", Quote: "'\"", Backslash: "\\|", Backquote: "`~", BracketLeft: "[{", BracketRight: "]}", Space: "  ", NumpadAdd: "++", NumpadSubtract: "--", NumpadMultiply: "**", NumpadDivide: "//", NumpadDecimal: ".." };
const SHIFTED_DIGITS = ")!@#$%^&*(";
const ENDS = new Set(["Enter", "NumpadEnter", "Tab"]);
const FOR_STAFF = new Set(["KeyR", "KeyV"]); // Reload, paste.
const FIELDS = "input, textarea, select, [contenteditable]";

let typed = "", pause = 0, altDigits = "";
let take = () => {};
// Only where people type too: told when a scanner has begun. What it typed into before, and since when.
let beside = null;
let field = null, before = "", begun = 0, latest = 0, scanning = false;

/** Calls `taker` with each text that a scanner types into the page. */
export function onTyped(taker) {
  take = taker;
}

/**
 * The same on a page where people type, too. Their keys are theirs; a scanner's go neither into a field nor on a button:
 * `noticed` is called when one has begun.
 */
export function onTypedBeside(taker, noticed) {
  take = taker;
  beside = noticed;
}

function character(event) {
  const held = event.isComposing || event.keyCode === 229 || ["Process", "Unidentified", "Dead"].includes(event.key);
  if (!held) return event.key.length === 1 ? event.key : "";
  const code = event.code;
  if (/^Key[A-Z]$/.test(code)) return event.shiftKey ? code[3] : code[3].toLowerCase();
  if (/^Digit\d$/.test(code)) return event.shiftKey ? SHIFTED_DIGITS[code[5]] : code[5];
  if (/^Numpad\d$/.test(code)) return code[6];
  return PLAIN[code]?.[event.shiftKey ? 1 : 0] ?? "";
}

/** How long a pause ends `text`. */
function patience(text) {
  const code = /^t1/i.test(text) ? text.replace(/[\s-]/g, "").length : 0;
  if (code >= 150) return code < 154 ? CODE_PAUSE_MS : PAUSE_MS;
  const swipe = /^[;%；]/.test(text);
  const complete = swipe ? /[;；].*[?？]/.test(text) : !code && /^\d{16}$|^\d{19}$/.test(text);
  return complete ? PAUSE_MS : text.length >= SHORTEST ? SLOW_PAUSE_MS : FORGET_MS;
}

/** Whether nobody types like this: it begins as codes and swipes do, or came faster than fingers are. */
function isScan(text) {
  const fast = text.length >= SHORTEST && latest - begun < PEOPLES_KEY_MS * (text.length - 1);
  return fast || /^(t1[a-z2-7]{10}|[;；%％\]]|[\d０-９]{13})/i.test(text);
}

function add(text) {
  typed = (typed + text).slice(0, LONGEST);
  clearTimeout(pause);
  const long = typed.length >= SHORTEST;
  const ended = () => (long && (!beside || scanning) ? finish() : forget());
  pause = setTimeout(ended, patience(typed));
}

function finish() {
  // A full-width input method types ； for ; and １ for 1.
  const text = typed.normalize("NFKC").trim();
  forget();
  if (text) take(text);
}

function forget() {
  clearTimeout(pause);
  typed = "";
  if (scanning && field?.isConnected) field.focus();
  scanning = false;
  field = null;
}

/** A field of a page where people type. */
const fieldOf = (event) => event.target?.closest?.(FIELDS) ?? null;

function drop(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

/** Adds a key where people type too. */
function addBeside(event, text) {
  const into = fieldOf(event);
  // In another field, or in one that was emptied, somebody begins anew.
  const goesOn = typed && event.timeStamp - latest <= SLOW_PAUSE_MS && into === field && into?.value !== "";
  if (!scanning && !goesOn) {
    forget();
    [field, begun] = [into, event.timeStamp];
    before = field?.value ?? "";
  }
  latest = event.timeStamp;
  add(text);
  if (!scanning && isScan(typed)) {
    scanning = true;
    // An input method lets go of what it holds only with the focus.
    field?.blur();
    if (field && field.value !== before) {
      field.value = before;
      field.dispatchEvent(new Event("input"));
    }
    beside();
  }
  if (scanning) drop(event);
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || /^F\d+$/.test(event.key)) {
    // A barcode can have a scanner press Ctrl+O: what the browser's shortcuts open is not for visitors.
    if (!beside && !FOR_STAFF.has(event.code) && event.key !== "F5") event.preventDefault();
    return;
  }
  if (!beside && fieldOf(event)) return;
  if (event.altKey) {
    // Some scanners type each letter as Alt and its number.
    if (/^Numpad\d$/.test(event.code)) altDigits += event.code[6];
    if (!beside || altDigits) event.preventDefault();
    return;
  }
  if (ENDS.has(event.key) || ENDS.has(event.code)) {
    if (beside && !scanning) return forget();
    if (typed) { drop(event); finish(); }
    return;
  }
  const text = character(event);
  if (!text) return;
  if (beside) return event.repeat ? undefined : addBeside(event, text);
  event.preventDefault();
  // A scanner never holds a key.
  if (!event.repeat) add(text);
}, true);

addEventListener("keyup", (event) => {
  if (event.key !== "Alt" || !altDigits) return;
  const number = Number(altDigits);
  altDigits = "";
  if (number < 32 || number >= 127) return;
  if (beside) addBeside(event, String.fromCharCode(number));
  else add(String.fromCharCode(number));
}, true);

addEventListener("paste", (event) => {
  if (beside || fieldOf(event)) return;
  const text = event.clipboardData?.getData("text") ?? "";
  if (text) { typed = text.slice(0, LONGEST); finish(); }
});
