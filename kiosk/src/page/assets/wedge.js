// Scanners and swipe readers that are keyboards: from key events to what was scanned. The kiosk program sorts it.
//
// Such a scanner types a whole code within a moment, into whatever has the focus, and ends it with Enter, Tab or nothing.
// The key that was pressed counts, not the text that an input method makes of it.

const PAUSE_MS = 60; // After this long a complete text is taken.
const SLOW_PAUSE_MS = 500; // A wireless scanner may pause inside a text.
const FORGET_MS = 2_000; // What is short, and nobody ended, was no scan.
const SHORTEST = 12;

// What a key types on an English keyboard, alone and with shift, when an input method or a dead key holds the text back.
const PLAIN = { Semicolon: ";:", Equal: "=+", Slash: "/?", Minus: "-_", Period: ".>", Comma: ",<", Quote: "'\"", Backslash: "\\|", Backquote: "`~", BracketLeft: "[{", BracketRight: "]}", Space: "  ", NumpadAdd: "++", NumpadSubtract: "--", NumpadMultiply: "**", NumpadDivide: "//", NumpadDecimal: ".." };
const SHIFTED_DIGITS = ")!@#$%^&*(";
const ENDS = new Set(["Enter", "NumpadEnter", "Tab"]);

let typed = "", pause = 0, altDigits = "";
let take = () => {};

/** Calls `taker` with each text that a scanner types into the page. */
export function onTyped(taker) {
  take = taker;
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

function looksComplete(text) {
  if (/^t1/i.test(text)) return text.replace(/[\s-]/g, "").length >= 150;
  if (/^[;%；]/.test(text)) return /[;；].*[?？]/.test(text);
  return /^\d{16}$|^\d{19}$/.test(text);
}

function add(text) {
  typed += text;
  clearTimeout(pause);
  const long = typed.length >= SHORTEST;
  pause = setTimeout(() => (long ? finish() : (typed = "")), looksComplete(typed) ? PAUSE_MS : long ? SLOW_PAUSE_MS : FORGET_MS);
}

function finish() {
  clearTimeout(pause);
  // A full-width input method types ； for ; and １ for 1.
  const text = typed.normalize("NFKC").trim();
  typed = "";
  if (text) take(text);
}

/** Whether somebody types into a field: then keys are theirs. */
function inField(event) {
  return Boolean(event.target?.closest?.("input, textarea, select, [contenteditable]"));
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || inField(event)) return;
  if (event.altKey) {
    // Some scanners type each letter as Alt and its number.
    if (/^Numpad\d$/.test(event.code)) { altDigits += event.code[6]; event.preventDefault(); }
    return;
  }
  if (ENDS.has(event.key) || ENDS.has(event.code)) {
    if (typed) { event.preventDefault(); finish(); }
    return;
  }
  const text = character(event);
  if (!text) return;
  event.preventDefault();
  // A scanner never holds a key.
  if (!event.repeat) add(text);
}, true);

addEventListener("keyup", (event) => {
  if (event.key !== "Alt" || !altDigits) return;
  const number = Number(altDigits);
  altDigits = "";
  if (number >= 32 && number < 127) add(String.fromCharCode(number));
}, true);

addEventListener("paste", (event) => {
  if (inField(event)) return;
  const text = event.clipboardData?.getData("text") ?? "";
  if (text) { typed = text; finish(); }
});
